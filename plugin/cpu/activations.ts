/** Gelu and Silu in plain TypeScript. */
import { Gelu, Silu } from '../ops/activations.js';
import { registerHostKernel } from '../ops/kernels.js';
import { normalDistribution } from './normal_distribution.js';

/** Of a single sum, by the names that layers give them. */
export const ACTIVATIONS = {
  none: (sum: number) => sum,
  relu: (sum: number) => Math.max(sum, 0),
  gelu: (sum: number) => sum * normalDistribution(sum),
  silu: (sum: number) => sum / (1 + Math.exp(-sum)),
};

registerHostKernel(Gelu, ({ inputs: { x }, outputs: { y } }) => {
  for (let i = 0; i < x.length; i++) y[i] = ACTIVATIONS.gelu(x[i]);
});

registerHostKernel(Silu, ({ inputs: { x }, outputs: { y } }) => {
  for (let i = 0; i < x.length; i++) y[i] = ACTIVATIONS.silu(x[i]);
});
