/**
 * BoruvkaMST: spanning_trees.ts. In each round, every edge is offered to the components at its ends, which keep the first by
 * (weight, index): since there are no 64-bit atomics, indices are exchanged and their weights compared in memory. Each
 * component links to the one at the other end of its edge, links are doubled until they end, and vertices follow them.
 */
import { BoruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { registerWebgpuKernel } from './kernels.js';
import { ORDERED } from './sorting.js';
import { treeBuilder } from './spanning_trees.js';

/** From weights to chosen edges. */
const JOIN = `
${ORDERED}
/** Gives a component an edge, unless it has one that comes before it. */
fn offer(component: u32, weight: u32, e: u32, first: u32) {
  var held = atomicLoad(&memory[bestAt(component)]);
  loop {
    if (held != NO_EDGE) {
      let other = ordered(weights[first + held]);
      if (other < weight || (other == weight && held <= e)) { return; }
    }
    let result = atomicCompareExchangeWeak(&memory[bestAt(component)], held, e);
    if (result.exchanged) { return; }
    held = result.old_value;
  }
}

fn joinComponents(image: u32, lane: u32) {
  let numVertices = numbers.numVertices;
  let first = image * numbers.numEdges;
  startComponents(lane);
  // Every round at least halves the number of components.
  for (var left = numVertices; left > 1; left /= 2) {
    sync();
    var crosses = false;
    for (var e = lane; e < numbers.numEdges; e += LANES) {
      let edge = edges[e];
      let a = getShort(componentAt(edge.x));
      let b = getShort(componentAt(edge.y));
      if (a == b) { continue; }
      crosses = true;
      let weight = ordered(weights[first + e]);
      offer(a, weight, e, first);
      offer(b, weight, e, first);
    }
    sync();
    if (!anyLane(lane, crosses)) { break; }
    for (var v = lane; v < numVertices; v += LANES) {
      if (getShort(componentAt(v)) == v) { joinOther(v); }
    }
    // Chains of links are mostly short.
    for (var reach = 1u; reach < left; reach *= 2) {
      sync();
      var moves = false;
      for (var v = lane; v < numVertices; v += LANES) {
        if (getShort(componentAt(v)) != v) { continue; }
        // Another lane may have moved the link that is read here: then it goes further.
        let next = getShort(linkAt(v));
        let beyond = getShort(linkAt(next));
        if (beyond == next) { continue; }
        moves = true;
        setShort(linkAt(v), next, beyond);
      }
      if (!anyLane(lane, moves)) { break; }
    }
    sync();
    for (var v = lane; v < numVertices; v += LANES) {
      let component = getShort(componentAt(v));
      setShort(componentAt(v), component, getShort(linkAt(component)));
      atomicStore(&memory[bestAt(v)], NO_EDGE);
    }
  }
  sync();
}

/** Takes the first edge that leaves a component. A circle is two components that take the same edge. */
fn joinOther(v: u32) {
  let e = atomicLoad(&memory[bestAt(v)]);
  var other = v;
  if (e != NO_EDGE) {
    let a = getShort(componentAt(edges[e].x));
    other = select(a, getShort(componentAt(edges[e].y)), a == v);
    if (v < other && atomicLoad(&memory[bestAt(other)]) == e) { other = v; }
    atomicOr(&memory[bitsAt(e / 32)], 1u << (e % 32));
  }
  setShort(linkAt(v), getShort(linkAt(v)), other);
}
`;

const buildTrees = treeBuilder('boruvka_mst', JOIN);

registerWebgpuKernel(BoruvkaMST, ({ inputs, outputs, attributes: { numVertices, root }, ...args }) => {
  buildTrees(args, { inputs, outputs, numbers: { numVertices, root } });
});
