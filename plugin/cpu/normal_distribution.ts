/**
 * P(X <= x) for a standard normal X, to float64 accuracy; the reference for every GELU here. Near zero it uses the series of
 * M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions", 26.2.11, whose terms all have the same sign; in the
 * tails the continued fraction 26.2.14, which keeps its relative accuracy where the series would cancel.
 */
const TAIL = 3; // both agree to 1e-15 here, and both converge quickly
const FRACTION_TERMS = 60; // enough at |x| = 3; fewer would do further out
const BEYOND_FLOAT32 = 15; // P(X <= -15) is 4e-51, below the smallest float32

export function normalDistribution(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < -BEYOND_FLOAT32) return 0;
  if (x > BEYOND_FLOAT32) return 1;
  if (x < -TAIL) return upperTail(-x);
  if (x > TAIL) return 1 - upperTail(x);
  let term = x;
  let series = x;
  for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(series); n += 2) {
    term *= (x * x) / n;
    series += term;
  }
  return 0.5 + density(x) * series;
}

/** P(X > x) for x > 0. */
function upperTail(x: number): number {
  let fraction = x;
  for (let n = FRACTION_TERMS; n >= 1; n--) fraction = x + n / fraction;
  return density(x) / fraction;
}

function density(x: number): number {
  return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
}
