/**
 * Tolerances of results. u = 2^-24 is the largest relative error of one float32 rounding. A bound holds if
 * |given - expected| <= max(absolute, relative * largest |expected|). Its size depends on the tolerance class of the
 * backend.
 */
import type { ToleranceClass } from '../../backends.js';

export interface Bound {
  readonly absolute: number;
  /** Relative to the largest |expected| of the tensor. */
  readonly relative: number;
  readonly reason: string;
}

/** For ids: a tree is either right or wrong. */
export const EXACT: Bound = {
  absolute: 0,
  relative: 0,
  reason: 'integers, and sums in a declared order: exact',
};

/** For NaN and infinities in shaders, which shading languages do not specify: reported but not judged. */
export const UNPROMISED: Bound = {
  absolute: Number.POSITIVE_INFINITY,
  relative: 0,
  reason: 'shading languages promise nothing for NaN and infinities',
};

/** The error from denormals, if they are flushed to zero (shader) and if they are not. */
export const DENORMAL: Readonly<Record<ToleranceClass, number>> = { float32: 2 ** -149, shader: 2 ** -126 };

/** Relative to the largest value, for a scan, its gradients, and most single ops. */
export const SINGLE_OP: Readonly<Record<ToleranceClass, number>> = { float32: 2e-6, shader: 2e-5 };

/** Tolerance of an op relative to the largest value, by tolerance class, with its reason. */
export interface Tolerance extends Readonly<Record<ToleranceClass, number>> {
  /** Tolerance of its gradients; by default four times that of the outputs. */
  readonly gradient?: number;
  readonly reason: string;
}

/** Returns the bound of an op's outputs, or of its gradients, which involve a few more roundings. */
export function boundOfTolerance(tolerance: Tolerance, of: ToleranceClass, isGradient: boolean): Bound {
  // The central differences that gradients are compared with are accurate to about 1e-10.
  const relative = isGradient ? (tolerance.gradient ?? 4 * tolerance[of]) + 1e-9 : tolerance[of];
  return { absolute: DENORMAL[of], relative, reason: tolerance.reason };
}

/** From this depth on, rounding errors accumulated along a path matter. */
const DEEP = 3136;

/**
 * Returns the bound of a tree scan of the given depth, and of its gradients. Decays are at most 1, so errors are never
 * amplified; one rounding per vertex on a path accumulates, about u * sqrt(depth) of the largest value, or u * depth if all
 * have the same sign.
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
