/** BoruvkaMST on WebAssembly. */
import { BoruvkaMST } from '../plugin/ops/boruvka_mst.js';
import { ADDRESSABLE_BYTES } from './heap.js';
import { registerWasmKernel } from './kernels.js';

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

registerWasmKernel<typeof BoruvkaMST, Functions>(
  BoruvkaMST,
  ({ inputs: { weights, edges }, outputs, shapes, attributes, functions, scratch }) => {
    const [batch, numEdges] = shapes.weights;
    const { numVertices } = attributes;
    const { root } = attributes;
    // More than the module asks for: from here on its sums, of 32 bits, would wrap around.
    const atMost = 32 * (numEdges + numVertices);
    if (atMost >= ADDRESSABLE_BYTES) throw new Error(`tfjs-grootvl/wasm: out of memory (${atMost} bytes)`);
    const space = scratch(
      Math.max(
        functions.spanningTreeScratch(numVertices, numEdges) >>> 0,
        functions.breadthFirstOrderScratch(numVertices) >>> 0,
      ),
    );
    for (let b = 0; b < batch; b++) {
      const edgeIndex = outputs.edgeIndex + 4 * b * (numVertices - 1);
      const [order, parent] = [outputs.order, outputs.parent].map((address) => address + 4 * b * numVertices);
      functions.spanningTree(weights + 4 * b * numEdges, edges, numVertices, numEdges, edgeIndex, space);
      functions.breadthFirstOrder(edgeIndex, edges, numVertices, root, order, parent, space);
    }
  },
);
