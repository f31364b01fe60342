/**
 * How far a result may be from its reference. u = 2^-24 is the largest relative error of one float32 rounding. A bound
 * holds when |given - expected| <= max(absolute, relative * largest |expected|). How large it is depends on the
 * tolerance class of the backend.
 */
import type { ToleranceClass } from '../../backends.js';

export interface Bound {
  readonly absolute: number;
  /** Of the largest |expected| of the tensor. */
  readonly relative: number;
  readonly reason: string;
}

/** Ids: a tree is right or wrong. */
export const EXACT: Bound = {
  absolute: 0,
  relative: 0,
  reason: 'integers, and sums in a declared order: exact',
};

/** NaN and infinities in shaders, for which shading languages promise nothing: they are reported and not judged. */
export const UNPROMISED: Bound = {
  absolute: Number.POSITIVE_INFINITY,
  relative: 0,
  reason: 'shading languages promise nothing for NaN and infinities',
};

/** What a result may lose where denormals are flushed to zero, and where they are not. */
export const DENORMAL: Readonly<Record<ToleranceClass, number>> = { float32: 2 ** -149, shader: 2 ** -126 };

/** Relative to the largest value: a scan, its gradients, and most single ops. */
export const SINGLE_OP: Readonly<Record<ToleranceClass, number>> = { float32: 2e-6, shader: 2e-5 };

/** The tolerance of an op relative to the largest value, by tolerance class, with its reason. */
export interface Tolerance extends Readonly<Record<ToleranceClass, number>> {
  /** Of its gradients, in place of four times that of the outputs. */
  readonly gradient?: number;
  readonly reason: string;
}

/** The bound of an op's outputs, or of its gradients, which chain a few roundings more. */
export function boundOfTolerance(tolerance: Tolerance, of: ToleranceClass, isGradient: boolean): Bound {
  // Central differences, against which gradients are held, are themselves right to about 1e-10.
  const relative = isGradient ? (tolerance.gradient ?? 4 * tolerance[of]) + 1e-9 : tolerance[of];
  return { absolute: DENORMAL[of], relative, reason: tolerance.reason };
}

/** From this depth on rounding errors that pile up along a path count. */
const DEEP = 3136;

/**
 * The bound of a tree scan of the given depth, and of its gradients. Decays are at most 1, so an error is never
 * magnified; what piles up is one rounding of each vertex on a path, about u * sqrt(depth) of the largest value and
 * u * depth when all have one sign.
 */
export function treeScanBound(depth: number, tolerance: ToleranceClass): Bound {
  if (tolerance === 'shader') {
    return {
      absolute: depth * DENORMAL.shader,
      relative: SINGLE_OP.shader,
      reason: 'pointer doubling reassociates products along a path',
    };
  }
  const deepest = 10 * SINGLE_OP.float32;
  return {
    // Every vertex below may lose a denormal.
    absolute: (depth + 8) * DENORMAL.float32,
    relative: Math.max(SINGLE_OP.float32, (deepest * depth) / DEEP),
    reason: `one rounding a vertex on a path: ${SINGLE_OP.float32}, growing with depth to 10 times that at ${DEEP}`,
  };
}
