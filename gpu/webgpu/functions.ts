/**
 * Scalar functions in WGSL. Shaders guarantee little about exp and division, so values that would cancel are computed
 * directly.
 */

/**
 * Prevents compilers from fusing the rounded value of a product or sum with later operations: its bits are combined by
 * exclusive or with a number that is 0. A program needs that number, `zero`.
 */
export const PINNED = `
fn pinned(value: f32) -> f32 { return bitcast<f32>(bitcast<u32>(value) ^ numbers.zero); }
`;

/**
 * The exact GELU, x * P(X <= x) for a standard normal X: the rational approximation of erf by M. Abramowitz and I. Stegun,
 * "Handbook of Mathematical Functions", 7.1.26, absolute error 1.5e-7. The tail is computed directly, so that it does not
 * cancel.
 */
const NORMAL_TAIL = `
fn normal_tail(x: f32) -> f32 { // P(X > |x|)
  let z = abs(x) * 0.70710678;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return 0.5 * series * exp(-z * z);
}
`;

export const GELU = `${NORMAL_TAIL}
fn gelu(x: f32) -> f32 {
  let tail = normal_tail(x);
  return x * select(tail, 1.0 - tail, x > 0.0);
}
`;

export const GELU_GRADIENT = `${NORMAL_TAIL}
fn gelu_gradient(x: f32) -> f32 {
  let tail = normal_tail(x);
  return select(tail, 1.0 - tail, x > 0.0) + x * 0.39894228 * exp(-0.5 * x * x);
}
`;

export const SILU = `
fn silu(x: f32) -> f32 {
  return x / (1.0 + exp(-x));
}
`;

export const SIGMOID = `
fn sigmoid(x: f32) -> f32 {
  return 1.0 / (1.0 + exp(-x));
}
`;

/** log(1 + exp(x)); the logarithm uses its series where 1 + e would round e away. */
export const SOFTPLUS = `
fn softplus(x: f32) -> f32 {
  let e = exp(-abs(x));
  let series = e * (1.0 - e * (0.5 - e * (0.33333333 - e * 0.25)));
  return max(x, 0.0) + select(log(1.0 + e), series, e < 0.01);
}
`;

/** The activation of a linear layer, as `fn activation`. */
export const ACTIVATIONS = {
  none: 'fn activation(x: f32) -> f32 { return x; }',
  gelu: `${GELU} fn activation(x: f32) -> f32 { return gelu(x); }`,
  silu: `${SILU} fn activation(x: f32) -> f32 { return silu(x); }`,
} as const;
