/**
 * Kernels for tfjs's `webgpu` backend. Importing this module registers them, whether the backend is ready or not, in
 * any order with other packages, as often as one likes.
 *
 * A new kernel is a file beside this one and a line here.
 */
import '../../plugin/index.js';
import './activations.js';
import './causal_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './layer_normalization.js';
import './linear.js';
import './resample.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_split.js';
import './selective_step.js';
import './selective_tree_scan.js';
import './state_readout.js';
import './token_embedding.js';
