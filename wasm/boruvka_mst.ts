/** BoruvkaMST and RandomSpanningTree on WebAssembly. */
import { BoruvkaMST } from '../plugin/ops/boruvka_mst.js';
import { RandomSpanningTree } from '../plugin/ops/random_spanning_tree.js';
import { ADDRESSABLE_BYTES } from './heap.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';

/** Of boruvka.as.ts. */
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
  const { inputs, shapes, attributes, functions } = call;
  const [batch, numEdges] = shapes.weights;
  const { numVertices } = attributes;
  const bytes = functions.spanningTreeScratch(numVertices, numEdges);
  chooseTrees(call, { batch, numEdges, bytes }, (edgeIndex, space, item) => {
    const row = inputs.weights + 4 * item * numEdges;
    functions.spanningTree(row, inputs.edges, numVertices, numEdges, edgeIndex, space);
  });
});

registerWasmKernel<typeof RandomSpanningTree, Functions>(RandomSpanningTree, (call) => {
  const { inputs, shapes, attributes, functions } = call;
  const [batch, numEdges] = shapes.similarity;
  const { numVertices, seed } = attributes;
  const bytes = functions.randomSpanningTreeScratch(numVertices, numEdges);
  chooseTrees(call, { batch, numEdges, bytes }, (edgeIndex, space, item) => {
    const row = inputs.similarity + 4 * item * numEdges;
    functions.randomSpanningTree(row, inputs.edges, numVertices, numEdges, seed | 0, item, edgeIndex, space);
  });
});

/** Of the call of an op that chooses trees. */
interface TreeCall
  extends Pick<WasmKernelArguments<typeof BoruvkaMST, Functions>, 'outputs' | 'functions' | 'scratch'> {
  readonly inputs: { readonly edges: number };
  readonly attributes: { readonly numVertices: number; readonly root: number };
}

/**
 * The trees of a batch: their edges, chosen one item after another, and their order.
 * @param bytes of scratch that `choose` needs.
 */
function chooseTrees(
  { inputs: { edges }, outputs, attributes: { numVertices, root }, functions, scratch }: TreeCall,
  { batch, numEdges, bytes }: { readonly batch: number; readonly numEdges: number; readonly bytes: number },
  choose: (edgeIndex: number, scratch: number, item: number) => void,
): void {
  // More than the module asks for: from here on its sums, of 32 bits, would wrap around.
  const atMost = 32 * (numEdges + numVertices);
  if (atMost >= ADDRESSABLE_BYTES) throw new Error(`tfjs-grootvl/wasm: out of memory (${atMost} bytes)`);
  const space = scratch(Math.max(bytes >>> 0, functions.breadthFirstOrderScratch(numVertices) >>> 0));
  for (let b = 0; b < batch; b++) {
    const edgeIndex = outputs.edgeIndex + 4 * b * (numVertices - 1);
    const [order, parent] = [outputs.order, outputs.parent].map((address) => address + 4 * b * numVertices);
    choose(edgeIndex, space, b);
    functions.breadthFirstOrder(edgeIndex, edges, numVertices, root, order, parent, space);
  }
}
