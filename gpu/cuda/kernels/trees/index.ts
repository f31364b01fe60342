/** Registers the kernels of this package's own ops. A new kernel is a file beside this one and a line here. */
import './activations.js';
import './boruvka_mst.js';
import './causal_convolution.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './layer_normalization.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_split.js';
import './selective_step.js';
import './selective_tree_scan.js';
import './state_readout.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
