/**
 * The part of a tree in breadth-first order that scans need: made with the tree, or by one dispatch for a caller's tree, and
 * freed with it. It is the only tree buffer that they bind. An image has 4 V + 4 numbers: the number of levels; the maximum
 * number of positions in two consecutive levels; [V + 1] the positions at which levels start, V after the last one; [V + 1]
 * for each position the position of its first child, if it had one: the children of position i are children[i] to children[i
 * + 1] - 1; [V] parents and [V] vertices by position.
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

/** Returns the plan of a tree: cached with the tree, made by one dispatch unless `make` does. */
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

/** One workgroup per image. The first child of a position is found by binary search: parents of positions ascend. */
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
    // The root is not a child, though its parent is 0.
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
