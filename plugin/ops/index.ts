/** Every op of this package. To add an op, add a file here and its two lines below. */

import * as activations from './activations.js';
import * as batchNormalization from './batch_normalization.js';
import * as boruvkaMst from './boruvka_mst.js';
import * as bottleneckFilter from './bottleneck_filter.js';
import * as boxes from './boxes.js';
import * as branchSum from './branch_sum.js';
import * as causalConvolution from './causal_convolution.js';
import * as cells from './cells.js';
import * as convolution from './convolution.js';
import type { OpDeclaration } from './declaration.js';
import * as depthwiseConvolution from './depthwise_convolution.js';
import * as detections from './detections.js';
import * as discretize from './discretize.js';
import * as edgeDissimilarity from './edge_dissimilarity.js';
import * as fusedLinear from './fused_linear.js';
import * as grid from './grid.js';
import * as gridSample from './grid_sample.js';
import * as layerNormalization from './layer_normalization.js';
import * as linear from './linear.js';
import * as normalize from './normalize.js';
import * as optimizerSteps from './optimizer_steps.js';
import * as parentDissimilarity from './parent_dissimilarity.js';
import * as parentVertices from './parent_vertices.js';
import * as pasteMasks from './paste_masks.js';
import * as pathTree from './path_tree.js';
import * as quantizedConvolution from './quantized_convolution.js';
import * as quantizedLinear from './quantized_linear.js';
import * as randomSpanningTree from './random_spanning_tree.js';
import * as resample from './resample.js';
import * as resize from './resize.js';
import * as roiAlign from './roi_align.js';
import * as rootMeanSquareNormalization from './root_mean_square_normalization.js';
import * as selectiveDiscretize from './selective_discretize.js';
import * as selectiveLayer from './selective_layer.js';
import * as selectiveScan from './selective_scan.js';
import * as selectiveSplit from './selective_split.js';
import * as selectiveStep from './selective_step.js';
import * as selectiveTreeScan from './selective_tree_scan.js';
import * as stateReadout from './state_readout.js';
import * as tokenEmbedding from './token_embedding.js';
import * as transposedConvolution from './transposed_convolution.js';
import * as treeScan from './tree_scan.js';
import * as windowGraph from './window_graph.js';

const files: readonly object[] = [
  edgeDissimilarity,
  boruvkaMst,
  randomSpanningTree,
  pathTree,
  parentVertices,
  bottleneckFilter,
  treeScan,
  parentDissimilarity,
  layerNormalization,
  activations,
  selectiveSplit,
  discretize,
  stateReadout,
  linear,
  grid,
  tokenEmbedding,
  rootMeanSquareNormalization,
  causalConvolution,
  selectiveStep,
  selectiveScan,
  selectiveTreeScan,
  selectiveLayer,
  windowGraph,
  resample,
  resize,
  cells,
  gridSample,
  roiAlign,
  boxes,
  detections,
  pasteMasks,
  convolution,
  batchNormalization,
  branchSum,
  optimizerSteps,
  fusedLinear,
  normalize,
  depthwiseConvolution,
  transposedConvolution,
  selectiveDiscretize,
  quantizedLinear,
  quantizedConvolution,
];

/** All ops that the files export, inner ones included. */
export const ALL_OPS = files.flatMap((file) =>
  Object.values(file).filter((value): value is OpDeclaration => Object(value) === value && 'parsed' in value),
);

/** The ops that a graph may contain. */
export const OPS = ALL_OPS.filter(({ inner }) => !inner);
