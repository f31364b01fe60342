/** ParentDissimilarity and its gradient: parent_dissimilarity.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from '../../plugin/ops/parent_dissimilarity.js';
import { gridOf } from './backend/launch.js';
import { EDGE_THREADS } from './constants.js';
import { registerCudaKernel } from './kernels.js';
import { scheduleOf } from './tree_schedule.js';

/** Bytes of the factors of an edge. */
const FACTORS_BYTES = 16;

/** The struct of sizes, and a grid of EDGE_THREADS threads for every group of every vertex. */
function sizesOf([batch, numVertices, channels]: readonly number[], groups: number) {
  const grid = gridOf(batch * numVertices * groups * EDGE_THREADS);
  return { sizes: [batch, numVertices, groups, channels / groups], grid };
}

registerCudaKernel(
  ParentDissimilarity,
  ({ inputs: { features, order, parent }, outputs: { distance }, attributes: { metric, groups }, call }) => {
    const { sizes, grid } = sizesOf(features.shape, groups);
    call.launch(`parent_dissimilarity_${metric}`, grid, features, order, parent, distance, sizes);
  },
);

registerCudaKernel(
  ParentDissimilarityGradient,
  ({ inputs, outputs: { dfeatures }, attributes: { metric, groups }, call }) => {
    const { features, order, parent, dy } = inputs;
    const { sizes, grid } = sizesOf(features.shape, groups);
    const tree = [features, order, parent, scheduleOf(call, parent)] as const;
    let perEdge = dy as typeof dy | ReturnType<typeof call.scratch>;
    if (metric === 'cosine') {
      perEdge = call.scratch(FACTORS_BYTES * sizeOf(dy.shape));
      call.launch('parent_dissimilarity_factors', grid, features, order, parent, dy, perEdge, sizes);
    }
    const elements = gridOf(sizeOf(features.shape));
    call.launch(`parent_dissimilarity_gradient_${metric}`, elements, ...tree, perEdge, dfeatures, sizes);
  },
);
