/**
 * Minimum spanning trees in shaders, without a read-back: the number of draws depends only on the sizes.
 *
 * 1. Ranks of the edges by (weight, index): a sort of keys. 3 draws.
 * 2. Boruvka's algorithm, floor(log2 V) rounds of 2 draws: the first edge of every component, by the depth test; then
 *   components join. Rounds after the last one needed have no effect.
 * 3. `edgeIndex`: a sort of the chosen edges. 2 draws.
 * 4. An Euler tour of the tree from the root, ranked as a list (R. E. Tarjan, U. Vishkin, "An efficient parallel
 *   biconnectivity algorithm", 1985), shows which end of an edge is the parent; a second one visits children in
 *   ascending id. 1 draw, and 1 + l for each tour: a slot follows the list for up to 128 steps in a draw, so that l
 *   is 1 up to 65 vertices, 2 up to 8193, 3 beyond.
 * 5. Sorted by (depth, number in that tour), vertices are breadth-first. 4 draws.
 *
 * 12 + 2 floor(log2 V) + 2l draws. Lists and climbs are processed in steps of about their square root, so that no invocation
 * reads more than some sqrt(E) log2(E) texels, except at the centre of a star.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OutputSpec } from '../../plugin/ops/declaration.js';
import { ranksOf, singleDraws, sortedButFirst } from './device_sort.js';
import { graphTable } from './graph_table.js';
import type { WebglKernelArguments } from './kernels.js';
import { CHOSEN_EDGES, JOIN_COMPONENTS, NEAREST_EDGES, WEIGHT_KEYS } from './programs/boruvka_programs.js';
import {
  ASCENDING_TOUR,
  BREADTH_FIRST,
  ROUND_TOUR,
  SUM_ALONG_TOUR,
  TOUR_PLACES,
} from './programs/tour_programs.js';

type Kernel = Pick<
  WebglKernelArguments<never>,
  'drawPoints' | 'flat' | 'upload' | 'release' | 'read' | 'cached'
>;

/** Integers are exact in float32 up to here. */
const MAX_EXACT = 2 ** 24;
/** Maximum steps of an invocation along a list in one draw. */
const MAX_LIST_STEPS = 128;

/** A tree, and the inputs of its tables (device_tables.ts): by vertex, its position and its parent. */
export interface DeviceTree {
  readonly edgeIndex: TensorInfo;
  readonly order: TensorInfo;
  readonly parent: TensorInfo;
  readonly positions: TensorInfo;
  readonly places: TensorInfo;
}

/** Whether shaders can build these trees: numbers stay exact, and a texture of `maxTextureSize` squared holds them. */
export function fitsDevice(
  batch: number,
  numEdges: number,
  numVertices: number,
  maxTextureSize: number,
): boolean {
  const slots = 2 * numEdges;
  return slots <= MAX_EXACT && batch * (slots + numVertices) <= (maxTextureSize * maxTextureSize) / 2;
}

/** Arguments of every program of a tree. */
interface Sizes {
  readonly batch: number;
  readonly edges: number;
  readonly vertices: number;
}

/**
 * @param weights [B, E]
 * @param edges [E, 2], a connected graph on V > 1 vertices.
 * @param outputs shapes and types of edgeIndex, order, parent.
 */
export function deviceTree(
  weights: TensorInfo,
  edges: TensorInfo,
  root: number,
  outputs: readonly OutputSpec[],
  kernel: Kernel,
): DeviceTree {
  const [batch, numEdges] = weights.shape;
  const [, numVertices] = outputs[1].shape;
  const sizes: Sizes = { batch, edges: numEdges, vertices: numVertices };
  const uniforms = { edges: numEdges, vertices: numVertices, root };
  const byVertex = batch * numVertices;
  const bySlot = batch * 2 * numEdges;
  const { release } = kernel;
  const draw = singleDraws(kernel, uniforms);
  const { textures } = kernel.cached([edges], `graph ${numVertices}`, () => ({
    textures: [kernel.upload(graphTable(kernel.read(edges), numVertices))],
    facts: undefined,
  }));
  const [graph] = textures;

  const forest = spanningForest(weights, graph, sizes, kernel);
  const edgeIndex = sortedButFirst(forest, batch, numVertices, outputs[0], kernel);
  const chosen = draw(CHOSEN_EDGES, { forest }, byVertex, batch * numEdges, 0);
  release(forest);

  const round = draw(ROUND_TOUR, { graph, chosen }, bySlot);
  release(chosen);
  const rankedRound = sumToEnd(round, sizes, kernel);
  const ascending = draw(ASCENDING_TOUR, { graph, tour: rankedRound }, bySlot);
  release(rankedRound);
  const rankedAscending = sumToEnd(ascending, sizes, kernel);
  const places = draw(TOUR_PLACES, { graph, tour: rankedAscending }, bySlot, byVertex, -1);
  release(rankedAscending);

  const positions = ranksOf(places, batch, numVertices, kernel);
  const [order, parent] = kernel.drawPoints({
    program: BREADTH_FIRST,
    inputs: { positions, places },
    uniforms,
    points: byVertex,
    outputs: [outputs[1], outputs[2]],
  });
  return { edgeIndex, order, parent, positions, places };
}

/**
 * Boruvka's algorithm. Returns by vertex (the edge that it added to the tree, the vertex it was attached to), -1 at one
 * vertex.
 */
function spanningForest(weights: TensorInfo, graph: TensorInfo, sizes: Sizes, kernel: Kernel): TensorInfo {
  const { batch, edges, vertices } = sizes;
  const { release } = kernel;
  const draw = singleDraws(kernel, { edges, vertices, steps: Math.ceil(Math.sqrt(vertices)) });
  const byVertex = batch * vertices;
  const flatWeights = kernel.flat(weights);
  const keys = draw(WEIGHT_KEYS, { weights: flatWeights }, batch * edges);
  release(flatWeights);
  const ranks = ranksOf(keys, batch, edges, kernel);
  release(keys);

  // Without points there is no draw: every vertex is a component.
  let forest = draw(JOIN_COMPONENTS, { forest: ranks, nearest: ranks }, 0, byVertex, -1);
  // Every round at least halves the number of components.
  for (let components = vertices; components > 1; components = Math.floor(components / 2)) {
    const nearest = draw(NEAREST_EDGES, { graph, ranks, forest }, batch * 2 * edges, byVertex, -1);
    const joined = draw(JOIN_COMPONENTS, { forest, nearest }, byVertex);
    release(forest);
    release(nearest);
    forest = joined;
  }
  release(ranks);
  return forest;
}

/** List ranking: sums along a tour from every slot to the end. Frees the tour. */
function sumToEnd(tour: TensorInfo, { batch, edges, vertices }: Sizes, kernel: Kernel): TensorInfo {
  const length = 2 * (vertices - 1);
  const draws = Math.max(1, Math.ceil(Math.log(length) / Math.log(MAX_LIST_STEPS)));
  // A slot that covers `reach` elements of the list adds others until it covers `factor` times as many.
  const factor = Math.ceil(length ** (1 / draws));
  const draw = singleDraws(kernel, { slots: 2 * edges, steps: factor - 1 });
  let current = tour;
  for (let reach = 1; reach < length; reach *= factor) {
    const next = draw(SUM_ALONG_TOUR, { tour: current }, batch * 2 * edges);
    kernel.release(current);
    current = next;
  }
  return current;
}
