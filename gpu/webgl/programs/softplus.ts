/** GLSL: log(1 + exp(x)); log(1 + e) uses its series where 1 + e would round e away. */
export const SOFTPLUS = `
  float softplus(float x) {
    float e = exp(-abs(x));
    float log1p = e < 0.01 ? e * (1.0 - e * (0.5 - e * (0.33333333 - e * 0.25))) : log(1.0 + e);
    return max(x, 0.0) + log1p;
  }
`;
