/** The nodes of a converted Mask R-CNN between which it is trained, and what its graph says of its boxes. */
import { nodeName, nodesOf } from '../graph_editor.js';
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
  /** [R, 5]: may be fed, with the features. */
  boxRois: 'box_rois',
  classScores: 'class_scores',
  boxDeltas: 'box_deltas',
  /** [P, 5]: may be fed, with the features. */
  maskRois: 'mask_rois',
  /** [P, 28, 28, C]. */
  maskLogits: 'mask_logits_of_classes',
} as const;

export interface DetectorNodes {
  /** Those that the heads read, the finest level first. */
  readonly features: readonly string[];
  readonly classes: number;
  readonly proposalDeviations: readonly number[];
  readonly boxDeviations: readonly number[];
}

/** Attributes as model.json holds them. */
interface Deviations {
  readonly stds?: { readonly list?: { readonly f?: readonly number[] } };
}

/** @throws {Error} when the model is no Mask R-CNN */
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
  const deviations = (name: string) =>
    (nodes.get(name)?.attr as Deviations | undefined)?.stds?.list?.f?.map(Number) ?? [1, 1, 1, 1];
  const [, , bias] = nodes.get(DETECTOR_NODES.classScores)?.input ?? [];
  return {
    features,
    classes: (graph.weights[nodeName(bias ?? '')]?.[0].size ?? Number.POSITIVE_INFINITY) - 1,
    proposalDeviations: deviations('proposals'),
    boxDeviations: deviations('detections'),
  };
}
