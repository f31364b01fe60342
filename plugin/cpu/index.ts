/** Registers every kernel in this folder. A new kernel is a file beside this one and a line here. */
import './activations.js';
import './boruvka_mst.js';
import './boxes.js';
import './causal_convolution.js';
import './detections.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './grid_sample.js';
import './layer_normalization.js';
import './parent_dissimilarity.js';
import './resample.js';
import './root_mean_square_normalization.js';
import './selective_scan.js';
import './selective_step.js';
import './selective_tree_scan.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
