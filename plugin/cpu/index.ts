/** Registers every kernel in this folder. A new kernel is a file beside this one and a line here. */
import './activations.js';
import './boruvka_mst.js';
import './discretize.js';
import './edge_dissimilarity.js';
import './layer_normalization.js';
import './tree_scan.js';
import './tree_scan_gradient.js';
