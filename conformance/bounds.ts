/** Bounds on differences between modules or whole models and their references, with reasons. The specs have those of ops. */
import type { ToleranceClass } from '../plugin/backends.js';
import { type Bound, EXACT, SINGLE_OP } from '../plugin/ops/spec/bound.js';

/** A bound that does not depend on the values. */
function absoluteBound(float32: number, shader: number, reason: string) {
  const absolute = { float32, shader };
  return (tolerance: ToleranceClass): Bound => ({ absolute: absolute[tolerance], relative: 0, reason });
}

const SAME_TREES = 'rounding through the whole network with the same trees';
const SAME_TREES_OF_HEADS = 'rounding through backbone and heads with the same trees';

/** For values that are reported here but judged elsewhere. */
export const UNBOUNDED: Bound = { absolute: Number.POSITIVE_INFINITY, relative: 0, reason: 'only measured' };

/**
 * Tolerance of the near-tie check: for each edge outside a tree, its float64 weight plus this must be at least the largest weight
 * on the tree path between its ends. Two float32 weights near 1, each off by three units (3 * 2^-24 * 2), can swap places.
 */
export const NEAR_TIE = 4e-7;

/** An intermediate of a network: about thirty consecutive ops, each within 2e-6. */
export function layerBound(tolerance: ToleranceClass): Bound {
  const size = { float32: 2e-5, shader: 2e-4 }[tolerance];
  return { absolute: size, relative: size, reason: 'some thirty ops in a row' };
}

/** A layer with 8-bit weights, given its actual inputs: sums of integers do not depend on their order. */
export function quantizedLayerBound(tolerance: ToleranceClass, isExact: boolean): Bound {
  if (isExact) return EXACT;
  return { absolute: 0, relative: SINGLE_OP[tolerance], reason: 'a sum of products and an activation' };
}

/**
 * Two backends round a row to the same 7-bit integers, except where a value lies between two steps and the last bits of the
 * preceding computation decide; from there on, they round different rows. Two unrelated errors are 1.41 times as far from each
 * other as each is from zero. Relative to the norm; measured between cpu and wasm: 0 in half of the models, at most 0.66.
 */
export const OTHER_ROUNDINGS = 1.5;

/** UIS-Mamba, relative to the largest value: features are sampled at computed positions, and distances are their squares. */
export function deformedBound(tolerance: ToleranceClass): Bound {
  const size = { float32: 5e-5, shader: 5e-4 }[tolerance];
  return { absolute: size, relative: size, reason: SAME_TREES };
}

/** Logits with the reference's trees pinned: rounding only, about 1e-5 for GrootV-T. */
export const pinnedModelBound = absoluteBound(1e-4, 1e-3, SAME_TREES);

/** Gradients of a whole model with respect to a parameter or its input: sums over all pixels of what the bound above allows. */
export function modelGradientBound(tolerance: ToleranceClass): Bound {
  const relative = { float32: 1e-3, shader: 2e-2 }[tolerance];
  return { absolute: 1e-9, relative, reason: 'back through the whole network, summed over pixels' };
}

/**
 * Logits of an image some of whose trees differ from the reference's by certified near ties. Each such flip changes them by far
 * more than rounding: by up to 1e-2 measured in a small trained network, and 4e-2 in GrootV-T, whose 3136-vertex trees always
 * have near ties. (With identical trees, the bound is that of pinned trees.)
 */
export function flippedTreesBound(channels: number): Bound {
  const absolute = channels >= 64 ? 0.2 : 2e-2;
  return { absolute, relative: 0, reason: 'certified near ties fell the other way' };
}

/** For images whose reference trees are unknown: half of them must be within this. */
export const UNKNOWN_TREES_MEDIAN = 1e-3;

/** A larger difference has to be explained by near ties; most flips stay below. */
export const UNEXPLAINED_DRIFT: Bound = {
  absolute: 2.5e-3,
  relative: 0,
  reason: 'one flipped near tie of a small network; more must be explained',
};

/**
 * A mixer of the language model against float64, relative to the largest value. Measured: the authors' own float32 differs by up
 * to 4e-7 from its float64, and gradients, which are sums over tokens, by 4e-7 or more.
 */
export function mixerBound(tolerance: ToleranceClass, isGradient: boolean): Bound {
  const size = isGradient ? 2e-5 : 2e-6;
  return {
    absolute: 0,
    relative: { float32: size, shader: 10 * size }[tolerance],
    reason: 'some ten ops in a row, two scans among them',
  };
}

/**
 * Filters and losses along trees against float64, relative to the largest value. Measured: the authors' own float32 differs by up
 * to 2.4e-6 from its float64; on cpu, gradients of parameters, which are sums over pixels, differ by 5e-6.
 */
export function compositionBound(tolerance: ToleranceClass, isGradient: boolean): Bound {
  const size = isGradient ? 2e-5 : 5e-6;
  return {
    absolute: 1e-9,
    relative: { float32: size, shader: 10 * size }[tolerance],
    reason: 'some twenty ops in a row, two to four scans among them',
  };
}

/** Logits of a language model, of magnitude 10: its trees depend on cosines without near ties. */
export const languageModelBound = absoluteBound(2e-4, 1e-3, SAME_TREES);

/** Logits of a text processed token by token, against those of the text as a whole, on the same backend. */
export const decodingBound = absoluteBound(
  1e-4,
  1e-3,
  'the same sums in another order, through the whole network',
);

/** Natural logarithms of probabilities, summed over the tokens of a continuation. */
export const scoreBound = absoluteBound(
  1e-3,
  1e-2,
  'a sum over tokens of what the bound of logits allows, of both signs',
);

/** Gradients of a language model's loss with respect to its parameters: sums over all tokens. */
export function languageGradientBound(tolerance: ToleranceClass): Bound {
  const relative = { float32: 1e-4, shader: 1e-3 }[tolerance];
  return { absolute: 1e-9, relative, reason: 'back through the whole network, summed over tokens' };
}

/**
 * Lead of the most probable token up to which the second may replace it. IEEE backends must generate identical text; on a GPU,
 * two logits that may each be off by the bound can swap places.
 */
export function greedyTie(tolerance: ToleranceClass): number {
  return tolerance === 'shader' ? 2 * languageModelBound(tolerance).absolute : 0;
}

/**
 * How far a rejected edge of the reference may be from being chosen before rounding decides, in weight: features include the
 * rounding of all previous layers.
 */
export function languageTreeTie(tolerance: ToleranceClass): number {
  return { float32: 1e-5, shader: 5e-5 }[tolerance];
}

/** Maps of segmenters and detectors with the same trees; after the backbone, float32 alone differs by up to 3e-5 from float64. */
export const denseStageBound = absoluteBound(2e-4, 2e-3, `${SAME_TREES}, values of up to ten`);

/** Logits of classes and of masks, of magnitude up to 25; float32 alone differs by up to 2e-4 from float64. */
export const denseLogitsBound = absoluteBound(2e-3, 2e-2, `${SAME_TREES_OF_HEADS}, values of up to 25`);

/** Lead above which the best class of a pixel must be the same: five times the error allowed for each of the two logits. */
export const DECISIVE_MARGIN = 1e-2;

/** Files whose trees are at least this far from near ties are also run with the model's own trees. */
export const DISTINCT_TREES = 1e-5;

/** Detections: boxes in pixels, scores from 0 to 1. Classes and order are exact. */
export function detectionBounds(tolerance: ToleranceClass): Record<'boxes' | 'scores' | 'classes', Bound> {
  const factor = { float32: 1, shader: 10 }[tolerance];
  const reason = SAME_TREES_OF_HEADS;
  return {
    boxes: { absolute: 5e-3 * factor, relative: 0, reason: `${reason}, in boxes of hundreds of pixels` },
    scores: { absolute: 1e-4 * factor, relative: 0, reason },
    classes: EXACT,
  };
}

/**
 * Maximum difference between the scores of two detections that swap places. IEEE backends must give the same order; on a GPU, two
 * scores that may each be off by the bound can swap places.
 */
export function detectionTie(tolerance: ToleranceClass): number {
  return tolerance === 'shader' ? 2 * detectionBounds(tolerance).scores.absolute : 0;
}

/**
 * Values of a training run: the bound of its file, five times the effect of rounding on the reference itself. Measured on WebGL:
 * a fifth of it after three steps.
 */
export function trainingBound(absolute: number, relative: number): Bound {
  return {
    absolute,
    relative,
    reason: 'five times the rounding of the reference, as its file states it',
  };
}

/** Fraction of mask pixels that may differ: those within rounding of the threshold. */
export const MASK_PIXELS = 1e-4;
