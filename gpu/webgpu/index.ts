/**
 * Kernels for tfjs's `webgpu` backend. Importing this module registers them, whether the backend is ready or not, in
 * any order with other packages, as often as one likes.
 *
 * A new kernel is a file beside this one and a line here.
 */
import '../../plugin/index.js';
