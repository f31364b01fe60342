/** Gelu and Silu in plain TypeScript. */
import { Gelu, Silu } from '../ops/activations.js';
import { registerHostKernel } from '../ops/kernels.js';
import { normalDistribution } from './normal_distribution.js';

registerHostKernel(Gelu, ({ inputs: { x }, outputs: { y } }) => {
  for (let i = 0; i < x.length; i++) y[i] = x[i] * normalDistribution(x[i]);
});

registerHostKernel(Silu, ({ inputs: { x }, outputs: { y } }) => {
  for (let i = 0; i < x.length; i++) y[i] = x[i] / (1 + Math.exp(-x[i]));
});
