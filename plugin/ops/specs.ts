/** The specs of all ops. A new op is a declaration, a spec beside it, and a line in both lists. */
import { geluSpec, siluSpec } from './activations.spec.js';
import { batchNormalizationSpec } from './batch_normalization.spec.js';
import { boruvkaMSTSpec } from './boruvka_mst.spec.js';
import { bottleneckFilterSpec } from './bottleneck_filter.spec.js';
import {
  anchorGridSpec,
  boxRoisSpec,
  decodeBoxesSpec,
  encodeBoxesSpec,
  roiLevelsSpec,
} from './boxes.spec.js';
import { branchSumSpec } from './branch_sum.spec.js';
import { causalConvolutionSpec } from './causal_convolution.spec.js';
import { cellCoordinatesSpec, cellMeansSpec, foregroundMaskSpec } from './cells.spec.js';
import { convolutionSpec } from './convolution.spec.js';
import { depthwiseConvolutionSpec } from './depthwise_convolution.spec.js';
import {
  classDetectionsSpec,
  nonMaxSuppressionSpec,
  regionProposalsSpec,
  selectChannelsSpec,
} from './detections.spec.js';
import { discretizeSpec } from './discretize.spec.js';
import { edgeDissimilaritySpec } from './edge_dissimilarity.spec.js';
import { gatedLinearSpec, residualLinearSpec } from './fused_linear.spec.js';
import { flattenGridSpec, gridGraphSpec, unflattenGridSpec } from './grid.spec.js';
import { gridSampleSpec } from './grid_sample.spec.js';
import { layerNormalizationSpec } from './layer_normalization.spec.js';
import { linearSpec } from './linear.spec.js';
import { normalizeSpec } from './normalize.spec.js';
import { adamWStepSpec, momentumStepSpec, scaleBySpec, squareSumSpec } from './optimizer_steps.spec.js';
import { parentDissimilaritySpec } from './parent_dissimilarity.spec.js';
import { atParentSpec, parentVerticesSpec } from './parent_vertices.spec.js';
import { pasteMasksSpec } from './paste_masks.spec.js';
import { pathTreeSpec } from './path_tree.spec.js';
import { quantizedConvolutionSpec } from './quantized_convolution.spec.js';
import {
  quantizedGatedLinearSpec,
  quantizedLinearSpec,
  quantizedResidualLinearSpec,
} from './quantized_linear.spec.js';
import { randomSpanningTreeSpec } from './random_spanning_tree.spec.js';
import { resampleSpec } from './resample.spec.js';
import { adaptiveAveragePoolSpec, interpolateBilinearSpec, interpolateNearestSpec } from './resize.spec.js';
import { roiAlignSpec } from './roi_align.spec.js';
import { rootMeanSquareNormalizationSpec } from './root_mean_square_normalization.spec.js';
import { selectiveDiscretizeSpec } from './selective_discretize.spec.js';
import { selectiveLayerSpec } from './selective_layer.spec.js';
import { selectiveScanSpec } from './selective_scan.spec.js';
import { selectiveSplitSpec } from './selective_split.spec.js';
import { selectiveStepSpec } from './selective_step.spec.js';
import { selectiveTreeScanSpec } from './selective_tree_scan.spec.js';
import type { OpSpec } from './spec/spec.js';
import { stateReadoutSpec } from './state_readout.spec.js';
import { tokenEmbeddingSpec } from './token_embedding.spec.js';
import { transposedConvolutionSpec } from './transposed_convolution.spec.js';
import { treeScanSpec } from './tree_scan.spec.js';
import { windowGraphSpec } from './window_graph.spec.js';

export const SPECS: readonly OpSpec[] = [
  edgeDissimilaritySpec,
  boruvkaMSTSpec,
  randomSpanningTreeSpec,
  pathTreeSpec,
  parentVerticesSpec,
  atParentSpec,
  bottleneckFilterSpec,
  treeScanSpec,
  parentDissimilaritySpec,
  layerNormalizationSpec,
  geluSpec,
  siluSpec,
  selectiveSplitSpec,
  discretizeSpec,
  stateReadoutSpec,
  linearSpec,
  gridGraphSpec,
  flattenGridSpec,
  unflattenGridSpec,
  tokenEmbeddingSpec,
  rootMeanSquareNormalizationSpec,
  causalConvolutionSpec,
  selectiveStepSpec,
  selectiveScanSpec,
  selectiveTreeScanSpec,
  selectiveLayerSpec,
  windowGraphSpec,
  resampleSpec,
  interpolateBilinearSpec,
  interpolateNearestSpec,
  adaptiveAveragePoolSpec,
  cellMeansSpec,
  cellCoordinatesSpec,
  foregroundMaskSpec,
  gridSampleSpec,
  roiAlignSpec,
  roiLevelsSpec,
  boxRoisSpec,
  anchorGridSpec,
  decodeBoxesSpec,
  encodeBoxesSpec,
  nonMaxSuppressionSpec,
  regionProposalsSpec,
  classDetectionsSpec,
  selectChannelsSpec,
  pasteMasksSpec,
  convolutionSpec,
  batchNormalizationSpec,
  branchSumSpec,
  adamWStepSpec,
  momentumStepSpec,
  squareSumSpec,
  scaleBySpec,
  residualLinearSpec,
  gatedLinearSpec,
  normalizeSpec,
  depthwiseConvolutionSpec,
  transposedConvolutionSpec,
  selectiveDiscretizeSpec,
  quantizedLinearSpec,
  quantizedResidualLinearSpec,
  quantizedGatedLinearSpec,
  quantizedConvolutionSpec,
];
