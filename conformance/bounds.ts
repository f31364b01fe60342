/**
 * How far a result may be from its reference, op by op, with the reason. u = 2^-24 is the largest relative error of
 * one float32 rounding. A bound holds when |given - expected| <= max(absolute, relative * largest |expected|). How large
 * it is depends on the tolerance class of the backend.
 */
import type { ToleranceClass } from '../plugin/backends.js';

export interface Bound {
  readonly absolute: number;
  /** Of the largest |expected| of the tensor. */
  readonly relative: number;
  readonly reason: string;
}

const LARGEST_DENORMAL = 2 ** -126;

/** Ids: a tree is right or wrong. */
export const EXACT: Bound = {
  absolute: 0,
  relative: 0,
  reason: 'integers, and sums in a declared order: exact',
};

/** For figures that are reported, and judged otherwise. */
export const UNBOUNDED: Bound = { absolute: Number.POSITIVE_INFINITY, relative: 0, reason: 'only measured' };

/** NaN and infinities in shaders, which may do with them as they like: they are reported and not judged. */
export const UNPROMISED: Bound = {
  absolute: Number.POSITIVE_INFINITY,
  relative: 0,
  reason: 'shading languages promise nothing for NaN and infinities',
};

/**
 * For each edge outside a tree: its float64 weight plus this is at least the largest weight on the tree path between
 * its ends. Two float32 weights near 1 that are each off by three units (3 * 2^-24 * 2) can change places.
 */
export const NEAR_TIE = 4e-7;

/** From this depth on rounding errors that pile up along a path count. */
const DEEP = 3136;

/** Relative to the largest value: a scan, its gradients, and most single ops. */
const SCAN: Readonly<Record<ToleranceClass, number>> = { float32: 2e-6, shader: 2e-5 };

/** What a result may lose where denormals are flushed to zero, and where they are not. */
const DENORMAL: Readonly<Record<ToleranceClass, number>> = { float32: 2 ** -149, shader: LARGEST_DENORMAL };

/**
 * The bound of a tree scan of the given depth, and of its gradients. Decays are at most 1, so an error is never
 * magnified; what piles up is one rounding of each vertex on a path, about u * sqrt(depth) of the largest value and
 * u * depth when all have one sign.
 */
export function treeScanBound(depth: number, tolerance: ToleranceClass): Bound {
  if (tolerance === 'shader') {
    return {
      absolute: depth * DENORMAL.shader,
      relative: SCAN.shader,
      reason: 'pointer doubling reassociates products along a path',
    };
  }
  const deepest = 10 * SCAN.float32;
  return {
    // Every vertex below may lose a denormal.
    absolute: (depth + 8) * DENORMAL.float32,
    relative: Math.max(SCAN.float32, (deepest * depth) / DEEP),
    reason: `one rounding a vertex on a path of ${depth}: ${SCAN.float32}, growing to ${deepest} at ${DEEP}`,
  };
}

/**
 * EdgeDissimilarity against float64. -cos: the dot product of unit vectors in eight partial sums errs by at most
 * (D / 8 + 3) u, 23 u or 1.4e-6 at D = 160, three roundings for the norms and quotients; a GPU's roots and
 * quotients add a few units each. The distances are sums of positive terms: the same, relative.
 */
export function dissimilarityBound(metric: string, tolerance: ToleranceClass): Bound {
  const reason = 'rounding of a sum in eight partial sums, two norms and two quotients';
  const size = { float32: SCAN.float32, shader: 1e-5 }[tolerance];
  return metric === 'cosine'
    ? { absolute: size, relative: 0, reason }
    : { absolute: 0, relative: size, reason };
}

interface FusedBound extends Readonly<Record<ToleranceClass, number>> {
  /** In place of four times the bound of the outputs. */
  readonly gradient?: number;
  readonly reason: string;
}

const FUSED: Readonly<Record<string, FusedBound>> = {
  LayerNormalization: {
    float32: 4e-6,
    shader: 4e-5,
    reason: 'mean and variance by sums of C terms, one root',
  },
  Gelu: {
    float32: 1e-6,
    shader: 1e-5,
    reason: 'erf by polynomials accurate to 1.5e-7, times x',
  },
  Silu: { float32: 1e-6, shader: 1e-5, reason: 'exp within two units, one quotient, one product' },
  Discretize: { ...SCAN, reason: 'softplus and two exps in a row' },
  SelectiveSplit: { float32: 0, shader: 0, reason: 'copies' },
  StateReadout: { float32: 4e-6, shader: 4e-5, reason: 'two normalisations in a row' },
  RootMeanSquareNormalization: { ...SCAN, reason: 'a sum of C squares, one root' },
  CausalConvolution: { ...SCAN, reason: 'a sum of a few products, one exp and quotient' },
  SelectiveStep: { ...SCAN, reason: 'softplus by one exp and one logarithm' },
  SelectiveScan: {
    ...SCAN,
    reason: 'one rounding a token, as a tree scan, and a sum of N',
  },
  SelectiveTreeScan: { ...SCAN, reason: 'two scans, and a sum of N products' },
  SelectiveLayer: { float32: 4e-6, shader: 4e-5, reason: 'the ops of a layer in a row' },
  TokenEmbedding: {
    float32: 0,
    shader: 0,
    gradient: 1e-6,
    reason: 'copies; the gradient sums those of equal tokens',
  },
  Linear: { float32: 2e-6, shader: 1e-5, reason: 'a sum of I products, errors growing as sqrt(I) u' },
};

/** The bound of any op without one of its own above; gradients chain a few roundings more. */
export function fusedOpBound(op: string, tolerance: ToleranceClass, isGradient: boolean): Bound {
  const found: FusedBound = FUSED[op] ?? { ...SCAN, reason: 'a short chain of ops' };
  // Central differences, against which gradients are held, are themselves right to about 1e-10.
  const relative = isGradient ? (found.gradient ?? 4 * found[tolerance]) + 1e-9 : found[tolerance];
  return { absolute: DENORMAL[tolerance], relative, reason: found.reason };
}

/** An intermediate of a network: about thirty ops in a row, each within 2e-6. */
export function layerBound(tolerance: ToleranceClass): Bound {
  const size = { float32: 2e-5, shader: 2e-4 }[tolerance];
  return { absolute: size, relative: size, reason: 'some thirty ops in a row' };
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
