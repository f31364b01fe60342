/** The nodes of a converted Mask R-CNN that training uses, and the box settings of its graph. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { nodesOf } from '../../models/graph_editor.js';
import { nodeName } from '../../models/node_inputs.js';
import { graphOf, type Trainable } from '../trainable.js';

export const DETECTOR_NODES = {
  /** [A, 4] of all levels. */
  anchors: 'rpn/anchors',
  /** [A] logits. */
  scores: 'rpn/scores',
  /** [A, 4]. */
  deltas: 'rpn/deltas',
  /** [K, 5]. */
  proposals: 'proposals',
  /** [R, 5]: may be fed, together with the features. */
  boxRois: 'box_rois',
  classScores: 'class_scores',
  boxDeltas: 'box_deltas',
  /** [P, 5]: may be fed, together with the features. */
  maskRois: 'mask_rois',
  /** [P, 28, 28, C]. */
  maskLogits: 'mask_logits_of_classes',
} as const;

/** Box settings of a detector's graph. */
export interface BoxSettings {
  /** Size of an anchor in strides of its level. */
  readonly anchorScale: number;
  /** Heights over widths. */
  readonly anchorRatios: readonly number[];
  /** Standard deviations by which deltas of x, y, width and height are scaled. */
  readonly proposalDeviations: readonly number[];
  readonly boxDeviations: readonly number[];
  /** Samples per side of a RoiAlign bin; 0: one per pixel that it covers. */
  readonly samplingRatio: number;
}

export interface DetectorNodes extends BoxSettings {
  /** Those that the heads read, finest level first. */
  readonly features: readonly string[];
  readonly classes: number;
}

/** Attributes as stored in model.json: integers may be strings. */
interface Attribute {
  readonly f?: number;
  readonly i?: number | string;
  readonly list?: { readonly f?: readonly number[] };
}

/** Reads the box settings from the nodes of a Mask R-CNN. */
export function boxSettingsOf(graph: GraphModel): BoxSettings {
  const nodes = new Map(nodesOf(graph).map(({ name, attr = {} }) => [name, attr]));
  const attribute = (node: string, name: string) => nodes.get(node)?.[name] as Attribute | undefined;
  const deviations = (node: string) => attribute(node, 'stds')?.list?.f ?? [1, 1, 1, 1];
  return {
    anchorScale: attribute('rpn/anchors_0', 'scale')?.f ?? 8,
    anchorRatios: attribute('rpn/anchors_0', 'ratios')?.list?.f ?? [0.5, 1, 2],
    proposalDeviations: deviations('proposals'),
    boxDeviations: deviations('detections'),
    samplingRatio: Number(attribute('box_features/level_0', 'sampling_ratio')?.i ?? 0),
  };
}

/** @throws {Error} if the model is not a Mask R-CNN. */
export function nodesOfDetector(trained: Trainable): DetectorNodes {
  const graph = graphOf(trained.model);
  const nodes = new Map(nodesOf(graph).map((node) => [node.name, node]));
  for (const name of Object.values(DETECTOR_NODES)) {
    if (nodes.has(name)) continue;
    throw new Error(`detectionLosses: the model has no node ${name}, expected a Mask R-CNN`);
  }
  const features: string[] = [];
  for (let level = 0; nodes.has(`box_features/level_${level}`); level++) {
    features.push(nodeName(nodes.get(`box_features/level_${level}`)?.input?.[0] ?? ''));
  }
  const [, , bias] = nodes.get(DETECTOR_NODES.classScores)?.input ?? [];
  const classes = (graph.weights[nodeName(bias ?? '')]?.[0].size ?? Number.POSITIVE_INFINITY) - 1;
  return { features, classes, ...boxSettingsOf(graph) };
}
