/**
 * Kernels for tfjs's `wasm` backend. Importing this module registers them, whether or not the backend is ready, in any order
 * with other packages, any number of times.
 */
import './activations.js';
import './at_parent.js';
import './batch_normalization.js';
import './boruvka_mst.js';
import './bottleneck_filter.js';
import './causal_convolution.js';
import './convolution.js';
import './convolution_gradients.js';
import './depthwise_convolution.js';
import './detections.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './grid_sample.js';
import './layer_normalization.js';
import './linear.js';
import './linear_gradients.js';
import './normalize.js';
import './optimizer_steps.js';
import './parent_dissimilarity.js';
import './quantized_product.js';
import './recorder.js';
import './resample.js';
import './root_mean_square_normalization.js';
import './selective_discretize.js';
import './selective_layer.js';
import './selective_scan.js';
import './selective_split.js';
import './selective_step.js';
import './selective_tree_scan.js';
import './state_readout.js';
import './token_embedding.js';
import './transposed_convolution.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
import { watchStart } from './tfjs_start.js';

export { ready, usesRelaxedSimd } from './host.js';
export { setWasmPaths, type WasmFileName } from './module_files.js';
export { getThreads, setThreads, type ThreadsInfo, type ThreadsOptions } from './threads.js';

watchStart();
