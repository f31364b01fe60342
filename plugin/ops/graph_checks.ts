/**
 * Checks graphs and trees by value. Kernels index memory with these ids, so tensors from a caller are read once. The result
 * is remembered by the data of the tensors, which are immutable, together with the shape in which they were read: a reshaped
 * tensor shares its data but has another range of valid ids. Tensors made by this package are never read back.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { breadthFirst, type TreeValues } from '../kernels/breadth_first.js';
import { UnionFind } from '../union_find.js';
import type { ReadValues } from './declaration.js';
import { OpError, showShape } from './input_checks.js';

/** Facts about an edge list. */
interface GraphFacts {
  /** One more than the largest vertex id; 0 without edges. */
  readonly idBound: number;
  /** Whether the vertices 0 to idBound - 1 are all connected. */
  readonly connected: boolean;
}

/** Facts about the trees of a batch. */
interface TreeFacts {
  /**
   * Together with `batch`, the shape [B, V] of order and parent. In another shape the same data is not a tree, unless empty.
   */
  readonly batch: number;
  readonly numVertices: number;
  /** The root vertex of all trees; undefined if they differ. */
  readonly root: number | undefined;
  /** The same trees in breadth-first order, if they were given in another order. */
  readonly reordered?: TreeValues;
}

const knownGraphs = new WeakMap<object, GraphFacts>();
/** By the data of `order`, then by the data of `parent`. */
const knownTrees = new WeakMap<object, WeakMap<object, TreeFacts>>();

/** Remembers that an edge list is a connected graph of `numVertices` vertices. */
export function trustGraph(edges: TensorInfo, numVertices: number): void {
  knownGraphs.set(edges.dataId, { idBound: edges.shape[0] === 0 ? 0 : numVertices, connected: true });
}

/** Remembers that trees were made by our own kernel in breadth-first order, all rooted at the vertex `root`. */
export function trustTree(order: TensorInfo, parent: TensorInfo, root: number): void {
  const [batch, numVertices] = order.shape;
  remember(order, parent, { batch, numVertices, root });
}

function remember(order: TensorInfo, parent: TensorInfo, facts: TreeFacts): void {
  const ofOrder = knownTrees.get(order.dataId) ?? new WeakMap<object, TreeFacts>();
  ofOrder.set(parent.dataId, facts);
  knownTrees.set(order.dataId, ofOrder);
}

/**
 * Counts the vertices of a connected graph given by its edges [E, 2]. In a connected graph of more than one vertex, every
 * vertex is an end of some edge.
 */
export function countVertices(op: string, edges: TensorInfo, read: ReadValues): number {
  return Math.max(1, graphFacts(op, edges, read).idBound);
}

/** @throws {OpError} if an edge contains a vertex id outside 0..numVertices-1. */
export function checkVertexIds(op: string, edges: TensorInfo, numVertices: number, read: ReadValues): void {
  if (graphFacts(op, edges, read).idBound <= numVertices) return;
  const values = read(edges);
  const at = values.findIndex((id) => id >= numVertices) >> 1;
  throw vertexOutOfRange(op, values, at, `vertex ids from 0 to ${numVertices - 1}`);
}

/** @throws {OpError} if ids are out of range or the graph has more than one component. */
export function checkConnected(op: string, edges: TensorInfo, numVertices: number, read: ReadValues): void {
  checkVertexIds(op, edges, numVertices, read);
  const { idBound, connected } = graphFacts(op, edges, read);
  if (numVertices === 1 || (connected && idBound === numVertices)) return;
  const components = countComponentsOfNamed(read(edges), numVertices);
  throw new OpError(
    op,
    `the graph has ${components} components (${numVertices} vertices, ${edges.shape[0]} edges), ` +
      'expected a connected graph: no tree spans this one',
  );
}

/**
 * Checks that each row of `order` is a permutation of the vertices, that parents come before their children and, if `root`
 * is given, that every row starts with that vertex.
 * @throws {OpError} that names the first wrong entry.
 */
export function checkTree(
  op: string,
  order: TensorInfo,
  parent: TensorInfo,
  read: ReadValues,
  root?: number,
): void {
  const facts = treeFacts(op, order, parent, read);
  if (root === undefined || facts.root === root) return;
  const { batch, numVertices } = facts;
  const vertices = read(order);
  for (let b = 0; b < batch; b++) {
    const first = vertices[b * numVertices];
    if (first === root) continue;
    throw new OpError(op, `order[${b}, 0] is ${first}, expected a tree rooted at vertex ${root}`);
  }
}

/** Returns checked trees in breadth-first order; undefined if they already are. */
export function reorderedTrees(order: TensorInfo, parent: TensorInfo): TreeValues | undefined {
  return knownFacts(order, parent)?.reordered;
}

function knownFacts(order: TensorInfo, parent: TensorInfo): TreeFacts | undefined {
  const [batch, numVertices] = order.shape;
  const known = knownTrees.get(order.dataId)?.get(parent.dataId);
  return known?.batch === batch && known.numVertices === numVertices ? known : undefined;
}

function treeFacts(op: string, order: TensorInfo, parent: TensorInfo, read: ReadValues): TreeFacts {
  const known = knownFacts(order, parent);
  if (known) return known;
  const [batch, numVertices] = order.shape;
  const vertices = read(order);
  const parents = read(parent);
  for (let b = 0; b < batch; b++) {
    const seen = new Uint8Array(numVertices);
    for (let i = 0; i < numVertices; i++) {
      const at = b * numVertices + i;
      const vertex = vertices[at];
      if (!(vertex >= 0 && vertex < numVertices) || seen[vertex]) {
        const problem = seen[vertex] ? 'a second time' : 'out of range';
        throw new OpError(
          op,
          `order[${b}, ${i}] is ${vertex}, ${problem}; expected each vertex from 0 to ${numVertices - 1} once`,
        );
      }
      seen[vertex] = 1;
      const wrong = i === 0 ? parents[at] !== 0 : !(parents[at] >= 0 && parents[at] < i);
      if (wrong) {
        throw new OpError(
          op,
          `parent[${b}, ${i}] is ${parents[at]}, expected ${i === 0 ? '0 for the root' : `a position before ${i}`} ` +
            '(positions in order, parents first)',
        );
      }
    }
  }
  const [root] = vertices;
  const sameRoot = vertices.every((vertex, at) => at % numVertices !== 0 || vertex === root);
  const reordered = breadthFirst({ order: vertices, parent: parents }, batch, numVertices);
  const facts = { batch, numVertices, root: sameRoot ? root : undefined, reordered };
  remember(order, parent, facts);
  return facts;
}

function graphFacts(op: string, edges: TensorInfo, read: ReadValues): GraphFacts {
  // Checked before the cache is read: the facts hold only for the data read as pairs of integers.
  if (edges.shape.length !== 2 || edges.shape[1] !== 2) {
    throw new OpError(op, `edges has shape ${showShape(edges.shape)}, expected [E, 2]`);
  }
  if (edges.dtype !== 'int32') throw new OpError(op, `edges has dtype ${edges.dtype}, expected int32`);
  const known = knownGraphs.get(edges.dataId);
  if (known) return known;
  const values = read(edges);
  let idBound = 0;
  for (let i = 0; i < values.length; i++) {
    if (values[i] < 0) throw vertexOutOfRange(op, values, i >> 1, 'vertex ids from 0');
    if (values[i] >= idBound) idBound = values[i] + 1;
  }
  // A connected graph has at least V - 1 edges; with fewer, no memory for V vertices is needed to reject it.
  const connected = values.length / 2 >= idBound - 1 && countComponents(values, idBound) <= 1;
  const facts = { idBound, connected };
  knownGraphs.set(edges.dataId, facts);
  return facts;
}

function vertexOutOfRange(op: string, values: Int32Array, edge: number, expected: string): OpError {
  return new OpError(
    op,
    `edges[${edge}] joins the vertices ${values[2 * edge]} and ${values[2 * edge + 1]}, expected ${expected}`,
  );
}

function countComponents(edges: Int32Array, numVertices: number): number {
  const components = new UnionFind(numVertices);
  for (let e = 0; e < edges.length; e += 2) components.join(edges[e], edges[e + 1]);
  return components.count;
}

/** Counts components when few of the vertices have edges: the others cost no memory. */
function countComponentsOfNamed(edges: Int32Array, numVertices: number): number {
  const positions = new Map<number, number>();
  for (const id of edges) if (!positions.has(id)) positions.set(id, positions.size);
  const named = countComponents(
    edges.map((id) => positions.get(id) as number),
    positions.size,
  );
  return named + numVertices - positions.size;
}
