/** Every op of this package. To add an op, add a file here and a line to this list. */
import { Gelu, Silu } from './activations.js';
import { BatchNormalization } from './batch_normalization.js';
import { BoruvkaMST } from './boruvka_mst.js';
import { BottleneckFilter } from './bottleneck_filter.js';
import { AnchorGrid, BoxRois, DecodeBoxes, EncodeBoxes, RoiLevels } from './boxes.js';
import { BranchSum } from './branch_sum.js';
import { CausalConvolution } from './causal_convolution.js';
import { CellCoordinates, CellMeans, ForegroundMask } from './cells.js';
import { Convolution } from './convolution.js';
import type { OpDeclaration } from './declaration.js';
import { DepthwiseConvolution } from './depthwise_convolution.js';
import { ClassDetections, NonMaxSuppression, RegionProposals, SelectChannels } from './detections.js';
import { Discretize } from './discretize.js';
import { EdgeDissimilarity, EdgeDissimilarityGradient } from './edge_dissimilarity.js';
import { GatedLinear, ResidualLinear } from './fused_linear.js';
import { FlattenGrid, GridGraph, UnflattenGrid } from './grid.js';
import { GridSample, GridSampleGradient } from './grid_sample.js';
import { LayerNormalization } from './layer_normalization.js';
import { Linear } from './linear.js';
import { AdamWStep, MomentumStep, ScaleBy, SquareSum } from './optimizer_steps.js';
import { ParentDissimilarity, ParentDissimilarityGradient } from './parent_dissimilarity.js';
import { AtParent, AtParentGradient, ParentVertices } from './parent_vertices.js';
import { PasteMasks } from './paste_masks.js';
import { PathTree } from './path_tree.js';
import { QuantizedConvolution } from './quantized_convolution.js';
import { QuantizedLinear } from './quantized_linear.js';
import { RandomSpanningTree } from './random_spanning_tree.js';
import { Resample } from './resample.js';
import { AdaptiveAveragePool, InterpolateBilinear, InterpolateNearest } from './resize.js';
import { RoiAlign } from './roi_align.js';
import { RootMeanSquareNormalization } from './root_mean_square_normalization.js';
import { SelectiveDiscretize } from './selective_discretize.js';
import { SelectiveLayer } from './selective_layer.js';
import { SelectiveScan } from './selective_scan.js';
import { SelectiveSplit } from './selective_split.js';
import { SelectiveStep } from './selective_step.js';
import { SelectiveTreeScan } from './selective_tree_scan.js';
import { StateReadout } from './state_readout.js';
import { TokenEmbedding } from './token_embedding.js';
import { TransposedConvolution } from './transposed_convolution.js';
import { TreeScan, TreeScanGradient } from './tree_scan.js';
import { WindowGraph } from './window_graph.js';

export const OPS: readonly OpDeclaration[] = [
  EdgeDissimilarity,
  EdgeDissimilarityGradient,
  BoruvkaMST,
  RandomSpanningTree,
  PathTree,
  ParentVertices,
  AtParent,
  AtParentGradient,
  BottleneckFilter,
  TreeScan,
  TreeScanGradient,
  ParentDissimilarity,
  ParentDissimilarityGradient,
  LayerNormalization,
  Gelu,
  Silu,
  SelectiveSplit,
  Discretize,
  StateReadout,
  Linear,
  GridGraph,
  FlattenGrid,
  UnflattenGrid,
  TokenEmbedding,
  RootMeanSquareNormalization,
  CausalConvolution,
  SelectiveStep,
  SelectiveScan,
  SelectiveTreeScan,
  SelectiveLayer,
  WindowGraph,
  Resample,
  InterpolateBilinear,
  InterpolateNearest,
  AdaptiveAveragePool,
  CellMeans,
  CellCoordinates,
  ForegroundMask,
  GridSample,
  GridSampleGradient,
  RoiAlign,
  RoiLevels,
  BoxRois,
  AnchorGrid,
  DecodeBoxes,
  EncodeBoxes,
  NonMaxSuppression,
  RegionProposals,
  ClassDetections,
  SelectChannels,
  PasteMasks,
  Convolution,
  BatchNormalization,
  BranchSum,
  AdamWStep,
  MomentumStep,
  SquareSum,
  ScaleBy,
  ResidualLinear,
  GatedLinear,
  DepthwiseConvolution,
  TransposedConvolution,
  SelectiveDiscretize,
  QuantizedLinear,
  QuantizedConvolution,
];
