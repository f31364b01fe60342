/**
 * Kernels for tfjs's `webgl` backend. Importing this module registers them, whether the backend is ready or not, in
 * any order with other packages, as often as one likes.
 */
import './activations.js';
import './causal_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './layer_normalization.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_step.js';
import './state_readout.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
import { attachToBackend } from './kernels.js';

export {
  benchWebgl,
  describeRenderer,
  type GpuCost,
  measureGpuCost,
  STAGES,
  type Stage,
  type WebglBench,
} from './bench.js';
export { getTreeBuilder, setTreeBuilder, type TreeBuilder } from './boruvka_mst.js';
export { WebglContextLostError } from './context.js';
export { countGpuWork, type GpuCounts } from './measure.js';
export { restartWebgl } from './restart.js';

attachToBackend();

/** Resolves when the kernels of this entry point can run: at once. */
export async function ready(): Promise<void> {
  attachToBackend();
}
