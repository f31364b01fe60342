/**
 * The tfjs backend `cuda` with this package's kernels, for Node with an NVIDIA driver. Importing this module registers all
 * of it; the device is opened when tfjs starts the backend.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs';
 * import { ready } from 'tfjs-grootvl/cuda';
 *
 * await ready(); // throws CudaUnavailableError that says why where there is no GPU
 * await tf.setBackend('cuda');
 * ```
 *
 * To add a kernel, add a file here and a line to this list.
 */
import '../../plugin/index.js';
import { OPS } from '../../plugin/ops/index.js';
import './activations.js';
import { registerCuda } from './backend/index.js';
import './boruvka_mst.js';
import './causal_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './grid_sample.js';
import './layer_normalization.js';
import './linear.js';
import './optimizer_steps.js';
import './parent_dissimilarity.js';
import './resample.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_split.js';
import './selective_step.js';
import './selective_tree_scan.js';
import './state_readout.js';
import './tree_scan.js';
import './tree_scan_gradient.js';

export {
  CudaBackend,
  type CudaBackendOptions,
  type CudaOptions,
  CudaOutOfMemoryError,
  CudaUnavailableError,
  configureCuda,
  counts,
  type DeviceDescription,
  type DriverErrorCode,
  deviceDescription,
  ready,
} from './backend/index.js';

// Our ops without a kernel here are composed of others, or have their own CPU fallback: plugin/ops/kernels.ts.
registerCuda(OPS.map(({ name }) => name));
