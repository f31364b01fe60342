/**
 * Tree state-space models for TensorFlow.js. Importing this module registers the ops with the GraphModel executor,
 * their gradients, and the kernels of tfjs's `cpu` backend.
 */
import './cpu/index.js';
import './graph_model.js';

export {
  type BackendEntry,
  type BackendName,
  type BackendOn,
  backendEntry,
  backendsOn,
  isBackendName,
  type Platform,
  type ToleranceClass,
} from './backends.js';
export { type GridTreeOptions, gridTree, type TreeMapping } from './filters/grid_tree.js';
export {
  type LearnableTreeFilterOptions,
  type LearnableTreeFilterWeights,
  learnableTreeFilter,
  randomTreeOfGuide,
} from './filters/learnable_tree_filter.js';
export { type LevelSetLosses, levelSetLoss } from './filters/level_set_loss.js';
export { localAffinityFilter } from './filters/local_affinity_filter.js';
export { grootVScan, normalizedTreeScan, parentAffinity } from './filters/scans.js';
export { type TreeEnergyLossOptions, treeEnergyLoss } from './filters/tree_energy_loss.js';
export { type TreeFilterOptions, treeFilter } from './filters/tree_filter.js';
export { registerOps } from './graph_model.js';
export { gridGraph, windowGraph } from './graphs.js';
export type { Grid } from './image/backdrop.js';
export { classColours, type Rgb } from './image/colour_map.js';
export {
  type ContributionMap,
  type ContributionScale,
  type ContributionSquare,
  contributionSquares,
} from './image/contributions.js';
export { type AffinityDrawing, affinityHeat, drawAffinity } from './image/draw_affinity.js';
export { type ConfusionDrawing, drawConfusion } from './image/draw_confusion.js';
export { type Curve, type CurveOptions, type CurvePanel, drawCurves } from './image/draw_curves.js';
export { type DetectionDrawing, type DrawnDetection, drawDetections } from './image/draw_detections.js';
export {
  drawReceptiveField,
  type ReceptiveFieldDrawing,
  receptiveFieldHeat,
} from './image/draw_receptive_field.js';
export { type ClassShare, drawSegmentation, type SegmentationDrawing } from './image/draw_segmentation.js';
export { drawTree, type TreeDrawing } from './image/draw_tree.js';
export { encodePolygons } from './image/fill_polygons.js';
export type { ImageInput, ImageTensor } from './image/input.js';
export { decodeRle, encodeRle, type MaskBitmap, maskPolygons, type RunLengths } from './image/mask.js';
export { prepareImage } from './image/prepare.js';
export type { EncodedImage, ImageSource, PixelData } from './image/read.js';
export type { DrawableImage } from './image/read_in_page.js';
export type { RgbImage } from './image/rgb_image.js';
export { sideBySide, type TitledDrawing } from './image/side_by_side.js';
export { readForChecks } from './kernels/values.js';
export {
  CALIBRATION_BINS,
  Calibration,
  type CalibrationBin,
  type CalibrationQuality,
} from './metrics/calibration.js';
export { type ClassificationQuality, ClassifierEvaluator } from './metrics/classification.js';
export {
  type CocoEvaluation,
  CocoEvaluator,
  type CocoOptions,
  type CocoScores,
  evaluateCoco,
} from './metrics/coco.js';
export {
  type CocoCategory,
  type CocoDataset,
  type CocoImage,
  readCocoAnnotations,
} from './metrics/coco_annotations.js';
export type { CocoAnnotation, CocoComparison, CocoResult } from './metrics/coco_matching.js';
export {
  ConfusionMatrix,
  type ConfusionOptions,
  evaluateSegmenter,
  IGNORED_PIXEL,
  type SegmentationQuality,
  type SegmentedImage,
} from './metrics/mean_iou.js';
export type { Adapter, LowRank } from './models/adapter.js';
export { type AffinityMap, type AffinityPoint, type BlockTree, BlockView } from './models/block_view.js';
export type { Colour, DenseMetadata, DensePreprocessing } from './models/dense_metadata.js';
export type { DenseOptions } from './models/dense_model.js';
export {
  type DetectedObjects,
  type Detection,
  type DetectOptions,
  Detector,
  type MaskFormats,
} from './models/detector.js';
export type { DetectorMetadata, DetectorTesting, MaskRCNNArchitecture } from './models/detector_metadata.js';
export {
  type GeneratedToken,
  type GenerateOptions,
  type Generation,
  GrootL,
} from './models/grootl.js';
export type { GrootLArchitecture, GrootLMetadata } from './models/grootl_metadata.js';
export {
  type AffinityOptions,
  type BlockOptions,
  type ClassifyOptions,
  GrootV,
  type Prediction,
  type PrepareOptions,
} from './models/grootv.js';
export type {
  GrootVArchitecture,
  GrootVMetadata,
  GrootVScan,
  GrootVTrunk,
  Preprocessing,
} from './models/grootv_metadata.js';
export { httpFolder } from './models/http_folder.js';
export { type AnyModel, loadModel } from './models/load_model.js';
export type { LoadOptions, LoadProgress, ModelFolder, ModelSource } from './models/model_files.js';
export type { PromptToken, PromptTree, PromptView } from './models/prompt_view.js';
export {
  type FileContent,
  type FileReader,
  memoryFolder,
  type ReadFolderOptions,
  readFolder,
} from './models/read_folder.js';
export type { ReceptiveField, ReceptiveFieldOptions } from './models/receptive_field.js';
export type { Perplexity, Score } from './models/scoring.js';
export { type Segmentation, Segmenter, type SegmentOptions } from './models/segmenter.js';
export type {
  SegmenterInference,
  SegmenterMetadata,
  UperNetArchitecture,
} from './models/segmenter_metadata.js';
export type {
  UisMambaArchitecture,
  UisMambaMetadata,
  UisMambaWeakening,
} from './models/uis_mamba_metadata.js';
export { type Activation, Gelu, gelu, Silu, silu } from './ops/activations.js';
export { BoruvkaMST, boruvkaMST, type ScanTree, type Tree } from './ops/boruvka_mst.js';
export { BottleneckFilter, bottleneckFilter } from './ops/bottleneck_filter.js';
export {
  AnchorGrid,
  anchorGrid,
  BoxRois,
  boxRois,
  DecodeBoxes,
  decodeBoxes,
  EncodeBoxes,
  encodeBoxes,
  RoiLevels,
  roiLevels,
} from './ops/boxes.js';
export { CausalConvolution, causalConvolution } from './ops/causal_convolution.js';
export { CellCoordinates, CellMeans, ForegroundMask } from './ops/cells.js';
export type { OpDeclaration } from './ops/declaration.js';
export {
  ClassDetections,
  classDetections,
  type Detections,
  NonMaxSuppression,
  nonMaxSuppression,
  RegionProposals,
  regionProposals,
  SelectChannels,
  selectChannels,
} from './ops/detections.js';
export { Discretize, discretize } from './ops/discretize.js';
export {
  EdgeDissimilarity,
  EdgeDissimilarityGradient,
  edgeDissimilarity,
  type Metric,
} from './ops/edge_dissimilarity.js';
export { FlattenGrid, GridGraph, UnflattenGrid } from './ops/grid.js';
export { GridSample, GridSampleGradient, gridSample, type Padding } from './ops/grid_sample.js';
export { OpError } from './ops/input_checks.js';
export { LayerNormalization, layerNormalization } from './ops/layer_normalization.js';
export { Linear, linear } from './ops/linear.js';
export {
  ParentDissimilarity,
  ParentDissimilarityGradient,
  parentDissimilarity,
} from './ops/parent_dissimilarity.js';
export {
  AtParent,
  AtParentGradient,
  atParent,
  ParentVertices,
  parentVertices,
} from './ops/parent_vertices.js';
export { type PastedMask, PasteMasks, pasteMask, pasteMasks } from './ops/paste_masks.js';
export { type PathDirection, PathTree, pathTree } from './ops/path_tree.js';
export { QuantizedConvolution } from './ops/quantized_convolution.js';
export { QuantizedLinear, quantizedLinear } from './ops/quantized_linear.js';
export { RandomSpanningTree, randomSpanningTree } from './ops/random_spanning_tree.js';
export { Resample } from './ops/resample.js';
export {
  AdaptiveAveragePool,
  adaptiveAveragePool,
  InterpolateBilinear,
  InterpolateNearest,
  interpolateBilinear,
  interpolateNearest,
} from './ops/resize.js';
export { RoiAlign, roiAlign } from './ops/roi_align.js';
export {
  RootMeanSquareNormalization,
  rootMeanSquareNormalization,
} from './ops/root_mean_square_normalization.js';
export { SelectiveLayer, type SelectiveLayerInputs, selectiveLayer } from './ops/selective_layer.js';
export { SelectiveScan, type SelectiveScanInputs, selectiveScan } from './ops/selective_scan.js';
export { SelectiveSplit, selectiveSplit } from './ops/selective_split.js';
export { SelectiveStep, selectiveStep } from './ops/selective_step.js';
export { SelectiveTreeScan, selectiveTreeScan } from './ops/selective_tree_scan.js';
export { StateReadout, type StateReadoutInputs, stateReadout } from './ops/state_readout.js';
export { TokenEmbedding, tokenEmbedding } from './ops/token_embedding.js';
export { type Aggregate, TreeScan, TreeScanGradient, treeScan } from './ops/tree_scan.js';
export { WindowGraph } from './ops/window_graph.js';

/** Resolves when the ops of this entry point can be used: immediately, since their kernels are plain TypeScript. */
export async function ready(): Promise<void> {}
