/**
 * Linear in plain TypeScript, summed in float64. tfjs's ops would first copy the used columns of the weights, in which its
 * `slice` takes as long as the product.
 */
import { registerHostKernel } from '../ops/kernels.js';
import { Linear, usedColumns } from '../ops/linear.js';
import { ACTIVATIONS } from './activations.js';

registerHostKernel(Linear, ({ inputs: { x, weights, bias }, outputs: { y }, shapes, attributes }) => {
  const [terms, columns] = shapes.weights;
  const [first, end] = usedColumns(columns, attributes);
  const activate = ACTIVATIONS[attributes.activation];
  const sums = new Float64Array(end - first);
  for (let row = 0; row * sums.length < y.length; row++) {
    for (let o = 0; o < sums.length; o++) sums[o] = bias ? bias[first + o] : 0;
    for (let k = 0; k < terms; k++) {
      const value = x[row * terms + k];
      const at = k * columns + first;
      for (let o = 0; o < sums.length; o++) sums[o] += value * weights[at + o];
    }
    for (let o = 0; o < sums.length; o++) y[row * sums.length + o] = activate(sums[o]);
  }
});
