import { activated, slopesOf } from './activations.spec.js';
import { Linear } from './linear.js';
import { always, before, without } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';

/** Shapes and attributes of samples for Linear and its quantised variant. */
export const LINEAR_SAMPLES = [
  { x: [2, 3, 7], outputs: 5, activation: 'none', bias: false },
  { x: [2, 3, 4], outputs: 9, activation: 'gelu', bias: true },
  { x: [2, 3, 16], outputs: 3, activation: 'silu', bias: false },
  { x: [2, 3, 5], outputs: 9, activation: 'none', bias: true, used: [0, 4] },
  { x: [2, 3, 6], outputs: 9, activation: 'silu', bias: true, used: [4, 9] },
  { x: [5], outputs: 3, activation: 'none', bias: true },
  { x: [1, 1, 1, 1], outputs: 1, activation: 'gelu', bias: true },
  // Numbers of rows around the tile size of a matrix product, and more than one vector of inputs and outputs.
  { x: [1, 37], outputs: 27, activation: 'silu', bias: true },
  { x: [4, 33], outputs: 26, activation: 'gelu', bias: false, used: [3, 22] },
  { x: [11, 18], outputs: 17, activation: 'none', bias: true },
] as const;

export const linearSpec = defineSpec(Linear, {
  sumsProducts: true,
  formula: ({ inputs: { x, weights, bias }, shapes, attributes: { activation, firstOutput, endOutput } }) => {
    const outputs = shapes.weights[1];
    const columns = [firstOutput, endOutput === -1 ? outputs : endOutput] as const;
    return { y: linearOf(x, weights, bias, outputs, activation, columns) };
  },
  gradient: (
    { inputs: { x, weights, bias }, shapes, attributes: { activation, firstOutput, endOutput } },
    { y: dy },
  ) => {
    const outputs = shapes.weights[1];
    const columns = [firstOutput, endOutput === -1 ? outputs : endOutput] as const;
    return linearGradients(x, weights, bias, dy, outputs, activation, columns);
  },
  tolerance: { float32: 2e-6, shader: 1e-5, reason: 'a sum of I products, errors growing as sqrt(I) u' },
  samples: (random) =>
    LINEAR_SAMPLES.map(({ x, outputs, activation, bias, ...rest }) => {
      const used = 'used' in rest ? rest.used : undefined;
      const inputs = x[x.length - 1];
      const what = `${inputs} to ${outputs}, ${activation}${bias ? ', bias' : ''}`;
      return {
        what: `${what}${used ? `, ${used[0]} to ${used[1]}` : ''}`,
        inputs: {
          x: random.tensor(x),
          weights: random.tensor([inputs, outputs]),
          ...(bias && { bias: random.tensor([outputs]) }),
        },
        attributes: { activation, ...(used && { firstOutput: used[0], endOutput: used[1] }) },
      };
    }),
  faults: {
    'the bias is missing': without('bias'),
    'the first columns are always used': before(({ attributes, shapes }) => {
      const { firstOutput, endOutput } = attributes as Record<string, number>;
      const end = endOutput === -1 ? shapes.weights[1] : endOutput;
      return { attributes: { ...attributes, firstOutput: 0, endOutput: end - firstOutput } };
    }),
    'the activation is missing': always({ activation: 'none' }),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: {
        x: random.tensor([1, side * side, channels / 2]),
        weights: random.tensor([channels / 2, channels]),
        bias: random.tensor([channels]),
      },
    }),
  },
});

/** activation(x @ weights + bias), for the columns from `first` to `end` (exclusive). `outputs`: columns of weights. */
export function linearOf(
  x: Values,
  weights: Values,
  bias: Values | undefined,
  outputs: number,
  activation = 'none',
  [first, end]: readonly [number, number] = [0, outputs],
): Float64Array {
  const inputs = weights.length / outputs;
  const used = end - first;
  const y = new Float64Array((x.length / inputs) * used);
  for (let i = 0; i < y.length; i++) {
    const [row, o] = [Math.floor(i / used) * inputs, first + (i % used)];
    let sum = bias ? bias[o] : 0;
    for (let k = 0; k < inputs; k++) sum += x[row + k] * weights[k * outputs + o];
    y[i] = activated(activation, sum);
  }
  return y;
}

/**
 * The gradients of the sum of dy * linearOf(...), with central differences only of the activation: of all inputs they take a
 * second for a few hundred rows.
 */
export function linearGradients(
  x: Values,
  weights: Values,
  bias: Values | undefined,
  dy: Values,
  outputs: number,
  activation = 'none',
  [first, end]: readonly [number, number] = [0, outputs],
): { x: Float64Array; weights: Float64Array; bias?: Float64Array } {
  const inputs = weights.length / outputs;
  const used = end - first;
  const sums = linearOf(x, weights, bias, outputs, 'none', [first, end]);
  const slopes = slopesOf(activation, sums);
  const gradients = {
    x: new Float64Array(x.length),
    weights: new Float64Array(weights.length),
    ...(bias && { bias: new Float64Array(outputs) }),
  };
  for (let i = 0; i < sums.length; i++) {
    const [row, o] = [Math.floor(i / used) * inputs, first + (i % used)];
    const dsum = dy[i] * slopes[i];
    if (gradients.bias) gradients.bias[o] += dsum;
    for (let k = 0; k < inputs; k++) {
      gradients.x[row + k] += dsum * weights[k * outputs + o];
      gradients.weights[k * outputs + o] += dsum * x[row + k];
    }
  }
  return gradients;
}
