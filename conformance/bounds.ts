/** How far results of modules and whole models may be from their references, with the reason. Those of ops: see their specs. */
import type { ToleranceClass } from '../plugin/backends.js';
import { type Bound, EXACT, SINGLE_OP } from '../plugin/ops/spec/bound.js';

/** For figures that are reported, and judged otherwise. */
export const UNBOUNDED: Bound = { absolute: Number.POSITIVE_INFINITY, relative: 0, reason: 'only measured' };

/**
 * For each edge outside a tree: its float64 weight plus this is at least the largest weight on the tree path between
 * its ends. Two float32 weights near 1 that are each off by three units (3 * 2^-24 * 2) can change places.
 */
export const NEAR_TIE = 4e-7;

/** An intermediate of a network: about thirty ops in a row, each within 2e-6. */
export function layerBound(tolerance: ToleranceClass): Bound {
  const size = { float32: 2e-5, shader: 2e-4 }[tolerance];
  return { absolute: size, relative: size, reason: 'some thirty ops in a row' };
}

/** A layer over weights of 8 bits, by the inputs that it had: sums of whole numbers leave nothing to an order. */
export function quantizedLayerBound(tolerance: ToleranceClass, isExact: boolean): Bound {
  if (isExact) return EXACT;
  return { absolute: 0, relative: SINGLE_OP[tolerance], reason: 'a sum of products and an activation' };
}

/**
 * Two backends round a row to the same numbers of 7 bits but for values that lie between two steps, for the last bits of what
 * led to them; from there on, both round other rows. Errors that have nothing to do with each other are 1.41 times as far apart
 * as either from none. Of the norm; measured between cpu and wasm: nothing in half of the models, at most 0.66.
 */
export const OTHER_ROUNDINGS = 1.5;

/** UIS-Mamba, of the largest value: features are read at positions that were computed, and distances are squares of theirs. */
export function deformedBound(tolerance: ToleranceClass): Bound {
  const size = { float32: 5e-5, shader: 5e-4 }[tolerance];
  return { absolute: size, relative: size, reason: 'rounding through the whole network with the same trees' };
}

/** Logits with the reference's trees pinned: rounding alone, about 1e-5 at GrootV-T. */
export function pinnedModelBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 1e-4, shader: 1e-3 }[tolerance],
    relative: 0,
    reason: 'rounding through the whole network with the same trees',
  };
}

/** Gradients of a whole model in a parameter or in its input: sums over all pixels of what the bound above allows. */
export function modelGradientBound(tolerance: ToleranceClass): Bound {
  const relative = { float32: 1e-3, shader: 2e-2 }[tolerance];
  return { absolute: 1e-9, relative, reason: 'back through the whole network, summed over pixels' };
}

/**
 * Logits of an image some of whose trees differ from the reference's by certified near ties. Each such flip changes
 * them by far more than rounding: measured, by up to 1e-2 in a small trained network and 4e-2 in GrootV-T, whose
 * 3136-vertex trees always hold near ties. (With the same trees the bound is that of pinned trees.)
 */
export function flippedTreesBound(channels: number): Bound {
  const absolute = channels >= 64 ? 0.2 : 2e-2;
  return { absolute, relative: 0, reason: 'certified near ties fell the other way' };
}

/** Images whose reference trees are not known: half of them must be within this. */
export const UNKNOWN_TREES_MEDIAN = 1e-3;

/** What drifts further has to be explained by near ties; most flips stay below. */
export const UNEXPLAINED_DRIFT: Bound = {
  absolute: 2.5e-3,
  relative: 0,
  reason: 'one flipped near tie of a small network; more must be explained',
};

/**
 * A mixer of the language model against float64, of the largest value. Measured: the authors' own float32 is up to
 * 4e-7 off its float64, and the gradients, which sum over tokens, 4e-7 and more.
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
 * Filters and losses along trees against float64, of the largest value. Measured: the authors' own float32 is up to 2.4e-6
 * off its float64; on cpu gradients in parameters, which sum over pixels, are 5e-6 off.
 */
export function compositionBound(tolerance: ToleranceClass, isGradient: boolean): Bound {
  const size = isGradient ? 2e-5 : 5e-6;
  return {
    absolute: 1e-9,
    relative: { float32: size, shader: 10 * size }[tolerance],
    reason: 'some twenty ops in a row, two to four scans among them',
  };
}

/** Logits of a language model, which are about 10 in size: its trees depend on cosines that have no near ties. */
export function languageModelBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 2e-4, shader: 1e-3 }[tolerance],
    relative: 0,
    reason: 'rounding through the whole network with the same trees',
  };
}

/** Logits of a text read token by token, against those of the text read at once, on the same backend. */
export function decodingBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 1e-4, shader: 1e-3 }[tolerance],
    relative: 0,
    reason: 'the same sums in another order, through the whole network',
  };
}

/** Natural logarithms of probabilities, summed over the tokens of a continuation. */
export function scoreBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 1e-3, shader: 1e-2 }[tolerance],
    relative: 0,
    reason: 'a sum over tokens of what the bound of logits allows, of both signs',
  };
}

/** Gradients of the loss of a language model in its parameters: sums over all tokens. */
export function languageGradientBound(tolerance: ToleranceClass): Bound {
  const relative = { float32: 1e-4, shader: 1e-3 }[tolerance];
  return { absolute: 1e-9, relative, reason: 'back through the whole network, summed over tokens' };
}

/**
 * The lead of the most probable token up to which the second may be taken for it. IEEE backends must give the very
 * text; two logits that each may be off by the bound of a GPU can change places.
 */
export function greedyTie(tolerance: ToleranceClass): number {
  return tolerance === 'shader' ? 2 * languageModelBound(tolerance).absolute : 0;
}

/**
 * How far a rejected edge of the reference may be from being chosen before rounding decides, in weight: features carry
 * the rounding of all layers before.
 */
export function languageTreeTie(tolerance: ToleranceClass): number {
  return { float32: 1e-5, shader: 5e-5 }[tolerance];
}

/** Maps of segmenters and detectors with the same trees; float32 alone is up to 3e-5 off float64 behind the backbone. */
export function denseStageBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 2e-4, shader: 2e-3 }[tolerance],
    relative: 0,
    reason: 'rounding through the whole network with the same trees, values of up to ten',
  };
}

/** Logits of classes and of masks, which reach 25; float32 alone is up to 2e-4 off float64. */
export function denseLogitsBound(tolerance: ToleranceClass): Bound {
  return {
    absolute: { float32: 2e-3, shader: 2e-2 }[tolerance],
    relative: 0,
    reason: 'rounding through backbone and heads with the same trees, values of up to 25',
  };
}

/** A pixel whose best class leads by more must have it: two logits that each may be off by five times less. */
export const DECISIVE_MARGIN = 1e-2;

/** Files whose trees are no closer to others than this are also run with the model's own trees. */
export const DISTINCT_TREES = 1e-5;

/** Detections: boxes in pixels, scores from 0 to 1. Classes and order are exact. */
export function detectionBounds(tolerance: ToleranceClass): Record<'boxes' | 'scores' | 'classes', Bound> {
  const factor = { float32: 1, shader: 10 }[tolerance];
  const reason = 'rounding through backbone and heads with the same trees';
  return {
    boxes: { absolute: 5e-3 * factor, relative: 0, reason: `${reason}, in boxes of hundreds of pixels` },
    scores: { absolute: 1e-4 * factor, relative: 0, reason },
    classes: EXACT,
  };
}

/**
 * How far apart the scores of two detections may be that change places. IEEE backends must give the very order; two scores
 * of a GPU that each may be off by its bound can change places.
 */
export function detectionTie(tolerance: ToleranceClass): number {
  return tolerance === 'shader' ? 2 * detectionBounds(tolerance).scores.absolute : 0;
}

/**
 * Figures of a training run: the bound of its file, five times what rounding does to the reference itself. Measured on
 * WebGL: a fifth of it after three steps.
 */
export function trainingBound(absolute: number, relative: number): Bound {
  return {
    absolute,
    relative,
    reason: 'five times the rounding of the reference, as its file states it',
  };
}

/** The share of mask pixels that may differ: those within rounding of the threshold. */
export const MASK_PIXELS = 1e-4;
