import { GatedLinear, ResidualLinear } from './fused_linear.js';
import { linearGradients, linearOf } from './linear.spec.js';
import { mapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type OpSpec, type Values } from './spec/spec.js';
import type { CaseTensors } from './spec/tensor.js';

const SIZES = [
  { x: [2, 3, 7], outputs: 5, bias: false },
  { x: [2, 3, 4], outputs: 9, bias: true },
  { x: [1, 1], outputs: 1, bias: false },
  // Numbers of rows around the tile size of a matrix product, multiples of four and others.
  { x: [1, 37], outputs: 28, bias: true },
  { x: [11, 16], outputs: 16, bias: false },
  { x: [2, 101, 5], outputs: 8, bias: true },
] as const;

/** Weights of a layer, as inputs by name. */
type WeightsOf = (random: Random, inputs: number, outputs: number) => CaseTensors;

/** Samples and faults of a layer with a residual, whatever its weights are. */
export const residualCases = (weightsOf: WeightsOf): Pick<OpSpec, 'samples' | 'faults'> => ({
  samples: (random) =>
    SIZES.map(({ x, outputs, bias }) => ({
      what: `${x} to ${outputs}${bias ? ', bias' : ''}`,
      inputs: {
        ...layer(random, x, outputs, bias, weightsOf),
        residual: random.tensor([...x.slice(0, -1), outputs]),
      },
    })),
  faults: {
    'the bias is missing': without('bias'),
    'the residual is missing': mapped('residual', () => 0),
  },
});

/** Samples and faults of a gated layer, whatever its weights are. */
export const gatedCases = (weightsOf: WeightsOf): Pick<OpSpec, 'samples' | 'faults'> => ({
  samples: (random) =>
    SIZES.map(({ x, outputs, bias }) => ({
      what: `${x} to twice ${outputs}${bias ? ', bias' : ''}`,
      inputs: layer(random, x, 2 * outputs, bias, weightsOf),
    })),
  faults: {
    'the bias is missing': without('bias'),
    'the halves are exchanged': (correct) => (args) => {
      const { y, gate } = args.outputs;
      correct({ ...args, outputs: { y: gate, gate: y } });
    },
  },
});

function layer(random: Random, x: readonly number[], outputs: number, bias: boolean, weightsOf: WeightsOf) {
  return {
    x: random.tensor(x),
    ...weightsOf(random, x[x.length - 1], outputs),
    ...(bias && { bias: random.tensor([outputs]) }),
  };
}

/** The first half of the outputs of x @ weights + bias, and silu of the second half. */
export function gatedLinearOf(x: Values, weights: Values, bias: Values | undefined, outputs: number) {
  return {
    y: linearOf(x, weights, bias, outputs, 'none', [0, outputs / 2]),
    gate: linearOf(x, weights, bias, outputs, 'silu', [outputs / 2, outputs]),
  };
}

const floatWeights: WeightsOf = (random, inputs, outputs) => ({ weights: random.tensor([inputs, outputs]) });

const tolerance = { float32: 2e-6, shader: 1e-5, reason: 'a sum of I products, and one term more' } as const;

export const residualLinearSpec = defineSpec(ResidualLinear, {
  sumsProducts: true,
  formula: ({ inputs: { x, weights, residual, bias }, shapes }) => {
    const sums = linearOf(x, weights, bias, shapes.weights[1]);
    return { y: sums.map((sum, i) => sum + residual[i]) };
  },
  gradient: ({ inputs: { x, weights, bias }, shapes }, { y: dy }) => ({
    ...linearGradients(x, weights, bias, dy, shapes.weights[1]),
    residual: dy,
  }),
  tolerance,
  ...residualCases(floatWeights),
});

export const gatedLinearSpec = defineSpec(GatedLinear, {
  sumsProducts: true,
  formula: ({ inputs: { x, weights, bias }, shapes }) => gatedLinearOf(x, weights, bias, shapes.weights[1]),
  gradient: ({ inputs: { x, weights, bias }, shapes }, { y: dy, gate: dgate }) => {
    const all = shapes.weights[1];
    const ofY = linearGradients(x, weights, bias, dy, all, 'none', [0, all / 2]);
    const ofGate = linearGradients(x, weights, bias, dgate, all, 'silu', [all / 2, all]);
    const sum = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]);
    return {
      x: sum(ofY.x, ofGate.x),
      weights: sum(ofY.weights, ofGate.weights),
      ...(ofY.bias && ofGate.bias && { bias: sum(ofY.bias, ofGate.bias) }),
    };
  },
  tolerance,
  ...gatedCases(floatWeights),
});
