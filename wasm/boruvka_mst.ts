/** BoruvkaMST and RandomSpanningTree on WebAssembly. */
import { BoruvkaMST } from '../plugin/ops/boruvka_mst.js';
import { RandomSpanningTree } from '../plugin/ops/random_spanning_tree.js';
import { ADDRESSABLE_BYTES } from './heap.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';
import { itemsOf, type Parts } from './threads.js';

/** Exports of boruvka.as.ts. */
interface Functions {
  spanningTreeScratch(numVertices: number, numEdges: number): number;
  spanningTree(
    weights: number,
    edges: number,
    numVertices: number,
    numEdges: number,
    edgeIndex: number,
    scratch: number,
  ): void;
  randomSpanningTreeScratch(numVertices: number, numEdges: number): number;
  randomSpanningTree(
    similarity: number,
    edges: number,
    numVertices: number,
    numEdges: number,
    seed: number,
    item: number,
    edgeIndex: number,
    scratch: number,
  ): void;
  breadthFirstOrderScratch(numVertices: number): number;
  breadthFirstOrder(
    edgeIndex: number,
    edges: number,
    numVertices: number,
    root: number,
    order: number,
    parent: number,
    scratch: number,
  ): void;
}

registerWasmKernel<typeof BoruvkaMST, Functions>(BoruvkaMST, (call) => {
  const { inputs, shapes, attributes, functions, inParts } = call;
  const [batch, numEdges] = shapes.weights;
  const { numVertices } = attributes;
  const bytes = functions.spanningTreeScratch(numVertices, numEdges);
  withTrees(call, { batch, numEdges, bytes }, (parts, edgeIndexOf, spaceOf) =>
    inParts('spanningTree', parts, (item, _, slot) => [
      ...([inputs.weights + 4 * item * numEdges, inputs.edges, numVertices, numEdges] as const),
      ...([edgeIndexOf(item), spaceOf(slot)] as const),
    ]),
  );
});

registerWasmKernel<typeof RandomSpanningTree, Functions>(RandomSpanningTree, (call) => {
  const { inputs, shapes, attributes, functions, inParts } = call;
  const [batch, numEdges] = shapes.similarity;
  const { numVertices, seed } = attributes;
  const bytes = functions.randomSpanningTreeScratch(numVertices, numEdges);
  withTrees(call, { batch, numEdges, bytes }, (parts, edgeIndexOf, spaceOf) =>
    inParts('randomSpanningTree', parts, (item, _, slot) => [
      ...([inputs.similarity + 4 * item * numEdges, inputs.edges, numVertices, numEdges] as const),
      ...([seed | 0, item, edgeIndexOf(item), spaceOf(slot)] as const),
    ]),
  );
});

/** Arguments of an op that chooses trees. */
interface TreeCall
  extends Pick<
    WasmKernelArguments<typeof BoruvkaMST, Functions>,
    'outputs' | 'functions' | 'inParts' | 'scratch'
  > {
  readonly inputs: { readonly edges: number };
  readonly attributes: { readonly numVertices: number; readonly root: number };
}

/**
 * Computes the trees of a batch, one item per part: first their edges, written by `choose`, then their order.
 * @param bytes of scratch memory that `choose` needs for an item.
 */
function withTrees(
  { inputs: { edges }, outputs, attributes: { numVertices, root }, functions, inParts, scratch }: TreeCall,
  { batch, numEdges, bytes }: { readonly batch: number; readonly numEdges: number; readonly bytes: number },
  choose: (parts: Parts, edgeIndexOf: (item: number) => number, spaceOf: (slot: number) => number) => void,
): void {
  // An upper bound of what the module needs: beyond it, its 32-bit sums would overflow.
  const atMost = 32 * (numEdges + numVertices);
  if (atMost >= ADDRESSABLE_BYTES) throw new Error(`tfjs-grootvl/wasm: out of memory (${atMost} bytes)`);
  const parts = itemsOf(batch, 40 * numVertices);
  const needed = Math.max(bytes >>> 0, functions.breadthFirstOrderScratch(numVertices) >>> 0);
  const ofItem = Math.ceil(needed / 8) * 8;
  const space = scratch(parts.slots * ofItem);
  const spaceOf = (slot: number) => space + slot * ofItem;
  const edgeIndexOf = (item: number) => outputs.edgeIndex + 4 * item * (numVertices - 1);
  choose(parts, edgeIndexOf, spaceOf);
  inParts('breadthFirstOrder', parts, (item, _, slot) => [
    ...([edgeIndexOf(item), edges, numVertices, root] as const),
    ...([
      outputs.order + 4 * item * numVertices,
      outputs.parent + 4 * item * numVertices,
      spaceOf(slot),
    ] as const),
  ]);
}
