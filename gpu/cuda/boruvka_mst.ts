/** BoruvkaMST: boruvka_mst.cu, or boruvka_mst_large.cu for graphs beyond the shared memory of a block. */
import { BoruvkaMST } from '../../plugin/ops/boruvka_mst.js';
import { registerCudaKernel } from './kernels.js';
import { spanningTrees } from './spanning_tree.js';

registerCudaKernel(BoruvkaMST, ({ inputs, outputs, shapes, attributes, call }) => {
  const [batch, numEdges] = shapes.weights;
  const { numVertices, root } = attributes;
  spanningTrees(call, { ...inputs, ...outputs }, { batch, numVertices, numEdges, root });
});
