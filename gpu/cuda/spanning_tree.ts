/**
 * Launches the steps of spanning_tree.h: minimum spanning trees in breadth-first order. One launch if the shared memory of a
 * block holds an image's data, else one for each step, O(log(V)^2) of them; the host reads nothing back on either path.
 */
import type { Block } from './backend/allocator.js';
import { WARP } from './backend/kernels/constants.js';
import type { KernelCall } from './backend/kernels.js';
import { type Argument, gridOf } from './backend/launch.js';
import { IMAGE_THREADS, MOST_ROUNDS, SORT_TILE } from './constants.js';

/** Sizes that all graphs of a batch share. */
export interface GraphSize {
  readonly batch: number;
  readonly numVertices: number;
  readonly numEdges: number;
  /** The vertex at which the order starts. */
  readonly root: number;
}

/** Bytes of a word of two halves. */
const SHARED_WORD = 4;
const GLOBAL_WORD = 8;
/** Number of vertices whose arcs half a word can count. */
const MOST_IN_SHARED = 2 ** 15;
/** Static shared memory of the kernels: a number for each warp. */
const STATIC_BYTES = 4 * (IMAGE_THREADS / WARP);
/** A flag for each round. */
const FLAG_BYTES = 4 * MOST_ROUNDS;

/** The size of a Workspace in spanning_tree.h. */
function workspaceBytes({ numVertices, numEdges }: GraphSize, wordBytes: number): number {
  return 7 * wordBytes * numVertices + 8 * Math.ceil(Math.max(numEdges, 2 * numVertices) / 32);
}

function fits(size: GraphSize, sharedBytes: number): boolean {
  return (
    size.numVertices <= MOST_IN_SHARED && workspaceBytes(size, SHARED_WORD) + STATIC_BYTES <= sharedBytes
  );
}

/** One block per image; small graphs use fewer threads, which reduces waiting at barriers. */
function blockGrid(size: GraphSize) {
  const threads = Math.min(IMAGE_THREADS, WARP * Math.ceil(size.numVertices / WARP));
  return { blocks: size.batch, threads, sharedBytes: workspaceBytes(size, SHARED_WORD) };
}

/**
 * Computes the minimum spanning tree of every graph, and its breadth-first order: see plugin/ops/boruvka_mst.ts.
 * @param sharedBytes per block; graphs that need more take the path with many launches
 */
export function spanningTrees(
  call: KernelCall,
  { weights, edges, edgeIndex, order, parent }: Readonly<Record<string, Block>>,
  size: GraphSize,
  sharedBytes = call.device.description.sharedBytesPerBlock,
): void {
  const { numVertices, numEdges, root } = size;
  if (fits(size, sharedBytes)) {
    const sizes = [numVertices, numEdges, root];
    call.launch('boruvka_mst', blockGrid(size), weights, edges, edgeIndex, order, parent, ...sizes);
    return;
  }
  const steps = new Steps(call, size);
  steps.launch('mst_begin', Math.max(numVertices, numEdges / 32));
  // Every round at least halves the number of components.
  for (let round = 0; 2 ** (round + 1) <= numVertices; round++) {
    steps.launch('mst_propose', numEdges, round, weights, edges);
    steps.launch('mst_hook', numVertices, round, edges);
    steps.launch('mst_walk', numVertices, round);
  }
  steps.launchBlock('mst_count');
  steps.launch('mst_collect', numEdges, edges, edgeIndex);
  steps.orderTree(order, parent);
}

/** Kernels of boruvka_mst_large.cu over one workspace. */
class Steps {
  private readonly memory: Block;
  private readonly graph: readonly number[];

  constructor(
    private readonly call: KernelCall,
    private readonly size: GraphSize,
  ) {
    const { batch, numVertices, numEdges, root } = size;
    const bytes = 8 * Math.ceil((workspaceBytes(size, GLOBAL_WORD) + FLAG_BYTES) / 8);
    this.memory = call.scratch(batch * bytes);
    this.graph = [numVertices, numEdges, root, bytes];
  }

  /** Launches a thread for each of `count` items of every image. */
  launch(kernel: string, count: number, ...given: readonly Argument[]): void {
    const { blocks, threads } = gridOf(Math.max(1, count));
    this.start(kernel, blocks as number, threads as number, given);
  }

  /** Launches one block per image. */
  launchBlock(kernel: string): void {
    this.start(kernel, 1, IMAGE_THREADS, []);
  }

  /** From arcs to the order; `parent` is used as temporary memory. */
  orderTree(order: Block, parent: Block): void {
    const { numVertices } = this.size;
    const arcs = 2 * (numVertices - 1);
    this.sort(false, arcs);
    this.launch('tour_link', arcs);
    this.rankArcs(arcs);
    this.launch('tour_note_parents', arcs, parent);
    this.launch('tour_relink', arcs, parent);
    this.rankArcs(arcs);
    this.launch('tour_mark', arcs);
    this.launchBlock('mst_count');
    this.launch('tour_number', arcs, parent);
    this.sort(true, numVertices);
    this.launch('tour_place_vertices', numVertices, parent, order);
    this.launch('tour_place_parents', arcs, parent);
  }

  private rankArcs(arcs: number): void {
    // An even number of times, so that the links end in the buffer where they began.
    for (let reach = 1; reach < arcs; reach *= 4) {
      this.launch('tour_double', arcs, 0);
      this.launch('tour_double', arcs, 1);
    }
  }

  /** Sorts the depths, or the arcs: the network of bitonic_sort.h, with short distances in shared memory. */
  private sort(depths: boolean, count: number): void {
    const which = Number(depths);
    const tiles = (merge: boolean) =>
      this.start('sort_tiles', Math.ceil(count / SORT_TILE), SORT_TILE / 2, [which, Number(merge)]);
    tiles(false);
    for (let span = SORT_TILE; span < count; span *= 2) {
      for (let distance = span; distance >= SORT_TILE; distance /= 2) {
        this.launch('sort_step', count / 2 + distance, which, distance, Number(distance === span));
      }
      tiles(true);
    }
  }

  private start(kernel: string, blocks: number, threads: number, given: readonly Argument[]): void {
    this.call.launch(
      kernel,
      { blocks: [blocks, this.size.batch], threads },
      this.memory,
      this.graph,
      ...given,
    );
  }
}
