/**
 * RandomSpanningTree: spanning_trees.ts. Every component has an invocation that goes through all edges by index; then one
 * invocation visits the components. A share of two similarities must decide exactly as in float32 on the CPU: WGSL rounds
 * quotients loosely and may flush denormals, so it is computed in integers.
 */
import { RandomSpanningTree } from '../../plugin/ops/random_spanning_tree.js';
import { FLOAT64 } from './float64.js';
import { registerWebgpuKernel } from './kernels.js';
import { treeBuilder } from './spanning_trees.js';

/** From the bits of similarities: the share a / (a + b) in float32, larger than every draw if both are 0. */
const SHARE = `
const INFINITY = 0x7f800000u;
const NOT_A_NUMBER = 0x7fc00000u;

struct Parts { bits: u32, exponent: u32 }

fn partsOf(value: u32) -> Parts {
  let field = value >> 23;
  return Parts((value & 0x7fffff) | select(0u, 0x800000u, field > 0), max(field, 1));
}

/** To the nearest, of two the even one: three bits are kept below, of which the last says whether there are more. */
fn sumOf(a: u32, b: u32) -> u32 {
  let large = partsOf(max(a, b));
  let small = partsOf(min(a, b));
  let shift = min(large.exponent - small.exponent, 27);
  let shifted = small.bits << 3;
  var sum = (large.bits << 3) + (shifted >> shift) + u32((shifted & ((1u << shift) - 1)) != 0);
  var exponent = large.exponent;
  if ((sum >> 27) != 0) {
    sum = (sum >> 1) | (sum & 1);
    exponent += 1;
  }
  let below = sum & 7;
  let kept = (sum >> 3) + u32(below > 4 || (below == 4 && (sum & 8) != 0));
  return min(((exponent - 1) << 23) + kept, INFINITY); // the first bit adds one to the exponent
}

fn shareOf(a: u32, b: u32) -> u32 {
  if (max(a, b) > INFINITY) { return NOT_A_NUMBER; }
  let total = select(INFINITY, sumOf(a, b), max(a, b) < INFINITY);
  if (total == 0 || a == INFINITY) { return NOT_A_NUMBER; }
  if (a == 0 || total == INFINITY) { return 0; }
  let divisor = parts(total);
  return quotientOf(a, Double(shiftedLeft(vec2(u32(divisor.x), 0), 29), divisor.y - 29));
}
`;

/** Draws as in plugin/cpu/random_spanning_tree.ts. */
const DRAW = `
fn mixed(bits: u32) -> u32 {
  var x = (bits ^ (bits >> 16)) * 0x21f0aaad;
  x = (x ^ (x >> 15)) * 0x735a2d97;
  return x ^ (x >> 15);
}

/** Bits of the draw, a float32 of 24 bits. */
fn drawOf(roundHash: u32, slot: u32) -> u32 {
  return bitcast<u32>(f32(mixed(roundHash ^ (slot + 0x27d4eb2f)) >> 8) / 16777216.0);
}
`;

/** Numbers per vertex: the one above it in its component, or itself if it is the representative; its rank; a choice. */
const JOIN = `
${FLOAT64}
${SHARE}
${DRAW}
fn aboveAt(v: u32) -> u32 { return componentAt(v); }
fn rankAt(v: u32) -> u32 { return linkAt(v); }

fn topOf(v: u32) -> u32 {
  var at = v;
  loop {
    let above = getShort(aboveAt(at));
    if (above == at) { return at; }
    at = above;
  }
}

fn similarityAt(e: u32) -> u32 { return weights[e] & 0x7fffffff; }

/** Shows a component the next edge that leaves it. */
fn show(component: u32, e: u32, first: u32, roundHash: u32, slot: u32) {
  let held = atomicLoad(&memory[bestAt(component)]);
  if (held != NO_EDGE) {
    let share = shareOf(similarityAt(first + held), similarityAt(first + e));
    if (share >= drawOf(roundHash, slot)) { return; }
  }
  atomicStore(&memory[bestAt(component)], e);
}

/** Takes an edge if its ends are still apart. */
fn take(e: u32) {
  let a = topOf(edges[e].x);
  let b = topOf(edges[e].y);
  if (a == b) { return; }
  atomicOr(&memory[bitsAt(e / 32)], 1u << (e % 32));
  let rank = getShort(rankAt(a));
  let other = getShort(rankAt(b));
  if (rank < other) {
    setShort(aboveAt(a), a, b);
  } else {
    setShort(aboveAt(b), b, a);
    if (rank == other) { setShort(rankAt(a), rank, rank + 1); }
  }
}

fn joinComponents(image: u32, lane: u32) {
  let numVertices = numbers.numVertices;
  let first = image * numbers.numEdges;
  let itemHash = mixed(mixed(numbers.seed + 0x9e3779b9) ^ (image + 0x85ebca6b));
  startComponents(lane);
  var round = 0u;
  // Every round at least halves the number of components.
  for (var left = numVertices; left > 1; left /= 2) {
    sync();
    let roundHash = mixed(itemHash ^ (round + 0xc2b2ae35));
    round += 1;
    var crosses = false;
    for (var e = 0u; e < numbers.numEdges; e++) {
      let edge = edges[e];
      let a = getShort(aboveAt(edge.x));
      let b = getShort(aboveAt(edge.y));
      if (a == b) { continue; }
      crosses = true;
      if (a % LANES == lane) { show(a, e, first, roundHash, 2 * e); }
      if (b % LANES == lane) { show(b, e, first, roundHash, 2 * e + 1); }
    }
    sync();
    if (!anyLane(lane, crosses)) { break; }
    if (lane == 0) {
      for (var v = 0u; v < numVertices; v++) {
        let e = atomicLoad(&memory[bestAt(v)]);
        if (e != NO_EDGE) { take(e); }
      }
    }
    sync();
    for (var v = lane; v < numVertices; v += LANES) {
      // Another lane may have moved a vertex above up: it is below the same one.
      setShort(aboveAt(v), getShort(aboveAt(v)), topOf(v));
      atomicStore(&memory[bestAt(v)], NO_EDGE);
    }
  }
  sync();
}
`;

const buildTrees = treeBuilder('random_spanning_tree', JOIN, { seed: 'u32' });

registerWebgpuKernel(
  RandomSpanningTree,
  ({ inputs: { similarity, edges }, outputs, attributes: { numVertices, root, seed }, ...args }) => {
    const inputs = { weights: similarity, edges };
    buildTrees(args, { inputs, outputs, numbers: { numVertices, root, seed } });
  },
);
