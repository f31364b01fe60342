/**
 * Spanning trees of a batch with their orders and plans (tree_plan.ts) in one dispatch, one workgroup per image. The code
 * that chooses the edges is a parameter: it joins components, and marks the edges that it takes.
 *
 * The order is computed level by level over sorted lists of neighbours: the children of a position come after those of all
 * earlier positions, so a level needs one prefix sum over its vertices.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuKernelArguments } from './kernels.js';
import { entryPoint, type NumberType, programs } from './program.js';
import { SORT_RANGE } from './sorting.js';
import { memoryCode, type TreeMemory, treeMemory } from './tree_memory.js';
import { planOf } from './tree_plan.js';

/** Longer lists of neighbours are sorted by all invocations together. */
const MOST_BY_ONE = 16;

type TreesKernel = Pick<WebgpuKernelArguments<never>, 'dispatch' | 'scratch' | 'limits' | 'runner'>;

interface TreesCall {
  readonly inputs: { readonly weights: TensorInfo; readonly edges: TensorInfo };
  readonly outputs: { readonly order: TensorInfo; readonly parent: TensorInfo };
  readonly numbers: Readonly<Record<string, number>> & {
    readonly numVertices: number;
    readonly root: number;
  };
}

/**
 * Returns a function that builds trees from weights [B, E] of the edges [E, 2].
 * @param join WGSL with `fn joinComponents(image: u32, lane: u32)`. It calls `startComponents`, and sets the bit of each
 *   chosen edge.
 * @param numbers that it needs
 */
export function treeBuilder(name: string, join: string, numbers: Readonly<Record<string, NumberType>> = {}) {
  const program = programs(name, (variant: TreeMemory) => ({
    reads: { weights: 'u32', edges: 'vec2<u32>' },
    writes: {
      edgeIndex: 'u32',
      order: 'u32',
      parent: 'u32',
      plan: 'u32',
      ...(!variant.packed && { memory: 'atomic<u32>' }),
    },
    numbers: { batch: 'u32', numVertices: 'u32', numEdges: 'u32', root: 'u32', words: 'u32', ...numbers },
    code: `
${memoryCode(variant)}
${COMPONENTS(variant.packed)}
${join}
${ORDER}
${entryPoint(variant.lanes)} {
  let image = linearWorkgroup(id, count);
  if (image >= numbers.batch) { return; }
  ${variant.packed ? '' : 'memoryStart = image * numbers.words;'}
  if (lane == 0) { atomicStore(&raised, 0); }
  joinComponents(image, lane);
  listNeighbours(image, lane);
  sortNeighbours(lane);
  orderVertices(image, lane);
}`,
  }));
  return (
    { dispatch, scratch, limits, runner }: TreesKernel,
    { inputs, outputs, numbers }: TreesCall,
  ): void => {
    const [batch, numEdges] = inputs.weights.shape;
    const variant = treeMemory(numbers.numVertices, numEdges, limits);
    const { packed, words, lanes } = variant;
    const memory = packed ? undefined : scratch(4 * words * batch);
    planOf(runner, outputs, (plan) => {
      dispatch(program(packed ? variant : { packed, words: 0, lanes }), {
        bind: { ...inputs, ...outputs, plan, memory },
        numbers: { ...numbers, batch, numEdges, words },
        workgroups: batch,
      });
    });
  };
}

/** Memory layout while components are joined. */
const COMPONENTS = (packed: boolean) => `
const NO_EDGE = 0xffffffffu;

/** Numbers of a vertex, or of the one that stands for a component. */
fn componentAt(v: u32) -> u32 { return v; }
fn linkAt(v: u32) -> u32 { return numbers.numVertices + v; }
fn bestAt(v: u32) -> u32 { return memoryStart + ${packed ? 1 : 2} * numbers.numVertices + v; }
fn bitsAt(word: u32) -> u32 { return memoryStart + ${packed ? '2 * numbers.numVertices' : '3 * numbers.numVertices + 1'} + word; }

fn isChosen(e: u32) -> bool { return (atomicLoad(&memory[bitsAt(e / 32)]) & (1u << (e % 32))) != 0; }

/** Every vertex is a component; no edge is chosen. */
fn startComponents(lane: u32) {
  clearShorts(lane, 0, 2 * numbers.numVertices);
  for (var i = lane; i < (numbers.numEdges + 31) / 32; i += LANES) { atomicStore(&memory[bitsAt(i)], 0); }
  sync();
  for (var v = lane; v < numbers.numVertices; v += LANES) {
    setShort(componentAt(v), 0, v);
    atomicStore(&memory[bestAt(v)], NO_EDGE);
  }
}
`;

/** From chosen edges to the order. */
const ORDER = `
/** Where the neighbours of v end in the lists; they begin where those of v - 1 end. */
fn endAt(v: u32) -> u32 { return v; }
fn neighbourAt(i: u32) -> u32 { return numbers.numVertices + i; }
/** By position in the order. */
fn vertexAt(i: u32) -> u32 { return (3 * numbers.numVertices + 1) / 2 * 2 + i; }
fn parentAt(i: u32) -> u32 { return vertexAt(numbers.numVertices + i); }

fn startOf(v: u32) -> u32 { return select(0u, getShort(endAt(max(v, 1) - 1)), v > 0); }

/** The sum of what lower lanes have, of which those from 'busy' on have nothing. */
fn sumBefore(lane: u32, own: u32, busy: u32) -> u32 {
  sums[lane] = own;
  workgroupBarrier();
  var sum = 0u;
  for (var i = 0u; i < min(lane, busy); i++) { sum += sums[i]; }
  return sum;
}

/** Writes the chosen edges in ascending order, and lists neighbours. */
fn listNeighbours(image: u32, lane: u32) {
  let numVertices = numbers.numVertices;
  // The bits lie after what is cleared.
  clearShorts(lane, 0, vertexAt(0));
  sync();
  let words = (numbers.numEdges + 31) / 32;
  let each = (words + LANES - 1) / LANES;
  let first = min(words, lane * each);
  let end = min(words, first + each);
  var own = 0u;
  for (var word = first; word < end; word++) { own += countOneBits(atomicLoad(&memory[bitsAt(word)])); }
  var place = image * (numVertices - 1) + sumBefore(lane, own, LANES);
  for (var word = first; word < end; word++) {
    for (var bits = atomicLoad(&memory[bitsAt(word)]); bits != 0; bits &= bits - 1) {
      let e = 32 * word + firstTrailingBit(bits);
      edgeIndex[place] = e;
      place += 1;
      addToShort(endAt(edges[e].x), 1);
      addToShort(endAt(edges[e].y), 1);
    }
  }
  sync();
  // Numbers of neighbours become starts of lists,
  let some = (numVertices + LANES - 1) / LANES;
  let firstVertex = min(numVertices, lane * some);
  let endVertex = min(numVertices, firstVertex + some);
  own = 0;
  for (var v = firstVertex; v < endVertex; v++) { own += getShort(endAt(v)); }
  var start = sumBefore(lane, own, LANES);
  for (var v = firstVertex; v < endVertex; v++) {
    let size = getShort(endAt(v));
    setShort(endAt(v), size, start);
    start += size;
  }
  sync();
  // and ends, when the lists are filled.
  for (var e = lane; e < numbers.numEdges; e += LANES) {
    if (!isChosen(e)) { continue; }
    let edge = edges[e];
    setShort(neighbourAt(addToShort(endAt(edge.x), 1)), 0, edge.y);
    setShort(neighbourAt(addToShort(endAt(edge.y), 1)), 0, edge.x);
  }
  sync();
  clearShorts(lane, vertexAt(0), parentAt(numVertices));
  sync();
}

fn sortPair(first: u32, second: u32) {
  let a = getShort(neighbourAt(first));
  let b = getShort(neighbourAt(second));
  if (a > b) {
    setShort(neighbourAt(first), a, b);
    setShort(neighbourAt(second), b, a);
  }
}

${SORT_RANGE}
var<workgroup> numLong: atomic<u32>;
var<workgroup> agreedList: vec2<u32>;

/** Each list of neighbours in ascending order. */
fn sortNeighbours(lane: u32) {
  if (lane == 0) { atomicStore(&numLong, 0); }
  workgroupBarrier();
  for (var v = lane; v < numbers.numVertices; v += LANES) {
    let start = startOf(v);
    let end = getShort(endAt(v));
    if (end - start > ${MOST_BY_ONE}) {
      setShort(vertexAt(atomicAdd(&numLong, 1)), 0, v);
      continue;
    }
    for (var i = start + 1; i < end; i++) {
      for (var j = i; j > start; j--) { sortPair(j - 1, j); }
    }
  }
  sync();
  if (lane == 0) { agreed = atomicLoad(&numLong); }
  let count = workgroupUniformLoad(&agreed);
  for (var i = 0u; i < count; i++) {
    if (lane == 0) {
      let v = getShort(vertexAt(i));
      agreedList = vec2(startOf(v), getShort(endAt(v)));
    }
    let list = workgroupUniformLoad(&agreedList);
    sortRange(lane, list.x, list.y - list.x);
  }
  clearShorts(lane, vertexAt(0), parentAt(0));
  sync();
}

/** Level by level. */
fn orderVertices(image: u32, lane: u32) {
  let numVertices = numbers.numVertices;
  let out = image * numVertices;
  let starts = image * (4 * numVertices + 4) + 2;
  let children = starts + numVertices + 1;
  let parents = children + numVertices + 1;
  let vertices = parents + numVertices;
  if (lane == 0) {
    plan[parents] = 0;
    plan[vertices] = numbers.root;
    setShort(vertexAt(0), 0, numbers.root);
    order[out] = numbers.root;
    parent[out] = 0;
    plan[children + numVertices] = numVertices;
  }
  var level = 0u;
  var start = 0u;
  var end = 1u;
  var above = 0u;
  var most = 1u;
  sync();
  while (start < end) {
    let each = (end - start + LANES - 1) / LANES;
    let first = min(end, start + lane * each);
    let last = min(end, first + each);
    var own = 0u;
    for (var i = first; i < last; i++) {
      let v = getShort(vertexAt(i));
      own += getShort(endAt(v)) - startOf(v) - u32(i > 0);
    }
    // Most levels have few vertices: a sum over all lanes would take longer than the rest of them.
    var place = end + sumBefore(lane, own, (end - start + each - 1) / each);
    if (lane == LANES - 1) { agreed = place + own; }
    if (lane == 0) { plan[starts + level] = start; }
    for (var i = first; i < last; i++) {
      plan[children + i] = place;
      let v = getShort(vertexAt(i));
      let source = select(v, getShort(vertexAt(getShort(parentAt(i)))), i > 0);
      for (var k = startOf(v); k < getShort(endAt(v)); k++) {
        let child = getShort(neighbourAt(k));
        if (child == source) { continue; }
        setShort(vertexAt(place), 0, child);
        setShort(parentAt(place), 0, i);
        order[out + place] = child;
        parent[out + place] = i;
        plan[vertices + place] = child;
        plan[parents + place] = i;
        place += 1;
      }
    }
    syncBuffer();
    let next = workgroupUniformLoad(&agreed); // a barrier, and what was written before it is seen
    most = max(most, end - above);
    above = start;
    start = end;
    end = next;
    level += 1;
  }
  if (lane == 0) {
    plan[starts - 2] = level;
    plan[starts - 1] = most;
    plan[starts + level] = numVertices;
  }
}
`;
