/** Gelu and Silu in one draw each. */
import { Gelu, Silu } from '../../plugin/ops/activations.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, PackedProgram, view3D } from './packed.js';

/**
 * The exact GELU, x * P(X <= x) for a standard normal X: the rational approximation of erf by M. Abramowitz and
 * I. Stegun, "Handbook of Mathematical Functions", 7.1.26, absolute error 1.5e-7. The tail is computed from the
 * complement, so that it does not cancel.
 */
const GELU = `
  float activation(float x) {
    float z = abs(x) * 0.70710678;
    float t = 1.0 / (1.0 + 0.3275911 * z);
    float series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    float tail = 0.5 * series * exp(-z * z);
    return x > 0.0 ? x - x * tail : x * tail;
  }
`;

const SILU = `
  float activation(float x) {
    return x / (1.0 + exp(-x));
  }
`;

/**
 * Applies an activation to every element of a tensor [batch, rows, columns].
 * @param functions GLSL that defines `activation`
 */
const activationProgram = (shape: readonly number[], functions: string): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x'],
    functions,
    body: `
      vec4 texel = texelAt(x, xTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
      setOutput(vec4(activation(texel.x), activation(texel.y), activation(texel.z), activation(texel.w)));
    `,
  });

const KERNELS = [
  [Gelu, GELU],
  [Silu, SILU],
] as const;

for (const [op, functions] of KERNELS) {
  registerWebglKernel(op, ({ inputs: { x }, draw }) => [
    draw(activationProgram(as3D(x.shape), functions), [view3D(x)]),
  ]);
}
