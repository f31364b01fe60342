/**
 * What scans know of a tree in breadth-first order: made with the tree, or by one dispatch for a tree that a caller
 * gave, and freed with it. It is all that they bind of it. An image has 4 V + 4 numbers: how many levels there are; the
 * most positions of two levels that follow each other; [V + 1] the positions at which levels start, after the last one V;
 * [V + 1] of each position that of its first child, if it had one: the children of position i go from children[i] to
 * children[i + 1] - 1; [V] parents and [V] vertices by position.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { keptBuffers } from './kept_buffers.js';
import { entryPoint, programs } from './program.js';
import type { Runner } from './runner.js';
import { lanesFor } from './tree_memory.js';

/** A tree [B, V]. */
interface TreeTensors {
  readonly order: TensorInfo;
  readonly parent: TensorInfo;
}

/** The plan of a tree: kept until that is disposed of, made by one dispatch unless `make` does. */
export function planOf(
  runner: Runner,
  { order, parent }: TreeTensors,
  make: (plan: GPUBuffer) => void = (plan) => {
    const [batch, numVertices] = parent.shape;
    const program = planTree({ lanes: lanesFor(numVertices, runner.limits) });
    const bind = { order, parent, plan };
    runner.dispatch(program, { bind, numbers: { batch, numVertices }, workgroups: batch });
  },
): GPUBuffer {
  const [batch, numVertices] = parent.shape;
  const bytes = 4 * batch * (4 * numVertices + 4);
  return keptBuffers(runner).get([order, parent], 'plan', () => runner.buffer(bytes), make);
}

/** A workgroup an image. The first child of a position is found by halving: parents of positions ascend. */
const planTree = programs('tree_plan', ({ lanes }: { lanes: number }) => ({
  reads: { order: 'u32', parent: 'u32' },
  writes: { plan: 'u32' },
  numbers: { batch: 'u32', numVertices: 'u32' },
  code: `
${entryPoint(lanes)} {
  let image = linearWorkgroup(id, count);
  if (image >= numbers.batch) { return; }
  let numVertices = numbers.numVertices;
  let first = image * numVertices;
  let starts = image * (4 * numVertices + 4) + 2;
  let children = starts + numVertices + 1;
  let parents = children + numVertices + 1;
  for (var i = lane; i < numVertices; i += ${lanes}) {
    plan[parents + i] = parent[first + i];
    plan[parents + numVertices + i] = order[first + i];
  }
  for (var i = lane; i <= numVertices; i += ${lanes}) {
    // The root is no child, though its parent is 0.
    var child = 1u;
    var size = numVertices - 1;
    while (size > 0) {
      let half = size / 2;
      if (parent[first + child + half] < i) {
        child += half + 1;
        size -= half + 1;
      } else {
        size = half;
      }
    }
    plan[children + i] = child;
  }
  storageBarrier();
  if (lane != 0) { return; }
  var level = 0u;
  var most = 1u;
  var above = 0u;
  for (var start = 0u; start < numVertices;) {
    let end = plan[children + start];
    plan[starts + level] = start;
    most = max(most, end - above);
    above = start;
    start = end;
    level += 1;
  }
  plan[starts + level] = numVertices;
  plan[starts - 1] = most;
  plan[starts - 2] = level;
}`,
}));
