/**
 * Kernels for tfjs's `webgl` backend. Importing this module registers them, whether or not the backend is ready, in any
 * order with other packages, any number of times.
 */
import './activations.js';
import './causal_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './grid_sample.js';
import './layer_normalization.js';
import './parent_dissimilarity.js';
import './resample.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_step.js';
import './state_readout.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
import { engine } from '@tensorflow/tfjs-core';
import { attachToBackend, BACKEND, startBackend } from './kernels.js';

export { getTreeBuilder, setTreeBuilder, type TreeBuilder } from './boruvka_mst.js';
export { WebglContextLostError } from './context.js';
export { restartWebgl } from './restart.js';

if (engine().registry[BACKEND]) attachToBackend();

/**
 * Resolves when the kernels of this entry point can run. It may be called before or after `tf.setBackend('webgl')`: it
 * starts the backend, but does not choose it.
 * @throws {Error} if the backend `webgl` is not registered, or does not start here, with the reason.
 */
export async function ready(): Promise<void> {
  startBackend();
}
