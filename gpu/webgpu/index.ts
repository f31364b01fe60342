/**
 * Kernels for tfjs's `webgpu` backend, in pages and, through the package `webgpu`, in Node. Importing this module registers
 * them, and the backend: on a device with the features that they use, replacing tfjs's own if that has not started.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { ready } from 'tfjs-grootvl/webgpu';
 *
 * await ready(); // throws WebgpuUnavailableError that says why where there is no GPU
 * await tf.setBackend('webgpu');
 * ```
 *
 * Tensors are read with `await tensor.data()`. To add a kernel, add a file here and a line to this list.
 */
import '../../plugin/index.js';
import './activations.js';
import './batch_normalization.js';
import './boruvka_mst.js';
import './bottleneck_filter.js';
import './causal_convolution.js';
import './depthwise_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './grid_sample.js';
import './layer_normalization.js';
import './linear.js';
import './linear_gradients.js';
import './optimizer_steps.js';
import './parent_dissimilarity.js';
import './random_spanning_tree.js';
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
import './tree_scan.js';
import './tree_scan_gradient.js';
import { registerWebgpu } from './start.js';

export {
  WebgpuDeviceLostError,
  WebgpuError,
  type WebgpuErrorCode,
  WebgpuOutOfMemoryError,
  WebgpuUnavailableError,
} from './errors.js';
export {
  type AdapterDescription,
  adapterDescription,
  ready,
  startWebgpu,
  type WebgpuOptions,
} from './start.js';

registerWebgpu();
