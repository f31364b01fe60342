import type { ToleranceClass } from '../backends.js';
import { gatedCases, gatedLinearOf, residualCases } from './fused_linear.spec.js';
import { LINEAR_SAMPLES, linearOf } from './linear.spec.js';
import { codesOf, packedCodes, wordsOf } from './quantized_codes.js';
import { QuantizedGatedLinear, QuantizedLinear, QuantizedResidualLinear } from './quantized_linear.js';
import type { Bound } from './spec/bound.js';
import { always, before, mapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type Values } from './spec/spec.js';
import { type CaseTensor, type CaseTensors, int32 } from './spec/tensor.js';

export const quantizedLinearSpec = defineSpec(QuantizedLinear, {
  formula: ({
    inputs: { x, codes, scales, bias },
    shapes,
    attributes: { activation, firstOutput, endOutput },
  }) => {
    const outputs = shapes.codes[1];
    const weights = weightsOf(codes, scales, shapes.x[shapes.x.length - 1]);
    const columns = [firstOutput, endOutput === -1 ? outputs : endOutput] as const;
    return { y: linearOf(x, weights, bias, outputs, activation, columns) };
  },
  tolerance: (tolerance, { inputs }) => roundedRowsBound(inputs, tolerance),
  differentiable: [],
  samples: (random) =>
    (
      [
        ...LINEAR_SAMPLES,
        // Sums of products that exceed 16 bits.
        { x: [6, 64], outputs: 20, activation: 'none', bias: true, codes: 'largest' },
        { x: [5, 24], outputs: 8, activation: 'none', bias: true, rows: 'positive' },
        { x: [5, 9], outputs: 8, activation: 'none', bias: true, rows: 'zero' },
      ] as const
    ).map(({ x, outputs, activation, bias, ...rest }) => {
      const { used, codes, rows } = rest as {
        used?: readonly [number, number];
        codes?: 'largest';
        rows?: 'positive' | 'zero';
      };
      const inputs = x[x.length - 1];
      const parts = [
        `${inputs} to ${outputs}`,
        activation,
        bias && 'bias',
        used && `${used[0]} to ${used[1]}`,
      ];
      const values = { positive: () => 1 + random.next(), zero: () => 0 };
      return {
        what: [...parts, codes && `${codes} weights`, rows && `${rows} rows`].filter(Boolean).join(', '),
        inputs: {
          x: rows ? random.tensor(x, values[rows]) : random.tensor(x),
          ...quantizedTensors(random, inputs, outputs, codes === 'largest' ? () => 127 : undefined),
          ...(bias && { bias: random.tensor([outputs]) }),
        },
        attributes: { activation, ...(used && { firstOutput: used[0], endOutput: used[1] }) },
      };
    }),
  faults: {
    'the bias is missing': without('bias'),
    'the scales are missing': mapped('scales', () => 1),
    'the activation is missing': always({ activation: 'none' }),
    'weights are taken for positive': mapped('codes', (word) => word & 0x7f7f7f7f),
    'the first columns are always used': before(({ attributes, shapes }) => {
      const { firstOutput, endOutput } = attributes as Record<string, number>;
      const end = endOutput === -1 ? shapes.codes[1] : endOutput;
      return { attributes: { ...attributes, firstOutput: 0, endOutput: end - firstOutput } };
    }),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: {
        x: random.tensor([1, side * side, channels / 2]),
        ...quantizedTensors(random, channels / 2, channels),
        bias: random.tensor([channels]),
      },
    }),
  },
});

export const quantizedResidualLinearSpec = defineSpec(QuantizedResidualLinear, {
  formula: ({ inputs: { x, codes, scales, residual, bias }, shapes }) => {
    const weights = weightsOf(codes, scales, shapes.x[shapes.x.length - 1]);
    return { y: linearOf(x, weights, bias, shapes.codes[1]).map((sum, i) => sum + residual[i]) };
  },
  tolerance: (tolerance, { inputs }) => roundedRowsBound(inputs, tolerance),
  differentiable: [],
  ...residualCases((random, inputs, outputs) => quantizedTensors(random, inputs, outputs)),
});

export const quantizedGatedLinearSpec = defineSpec(QuantizedGatedLinear, {
  formula: ({ inputs: { x, codes, scales, bias }, shapes }) => {
    const weights = weightsOf(codes, scales, shapes.x[shapes.x.length - 1]);
    return gatedLinearOf(x, weights, bias, shapes.codes[1]);
  },
  tolerance: (tolerance, { inputs }) => roundedRowsBound(inputs, tolerance),
  differentiable: [],
  ...gatedCases((random, inputs, outputs) => quantizedTensors(random, inputs, outputs)),
});

/** Codes of normally distributed weights, with scales that make them about 1. */
export function quantizedTensors(
  random: Random,
  terms: number,
  columns: number,
  draw = () => Math.max(-127, Math.min(127, Math.round(32 * random.normal()))),
): { codes: CaseTensor; scales: CaseTensor } {
  const codes = Array.from({ length: terms * columns }, draw);
  return {
    codes: int32([wordsOf(terms), columns], [...packedCodes(codes, columns)]),
    scales: random.tensor([columns], () => (0.5 + random.next()) / 32),
  };
}

/** The weights in float64, row-major. */
export function weightsOf(codes: Values, scales: Values, terms: number): Float64Array {
  const columns = scales.length;
  const numbers = codesOf(Int32Array.from(codes), columns, terms * columns);
  return Float64Array.from(numbers, (code, i) => code * scales[i % columns]);
}

/**
 * Backends of the class float32 may round every row to 127 steps of its range: an error of up to half a step in each term,
 * with either sign equally likely. Those of the class shader do not.
 */
export function roundedRowsBound({ x, codes, scales }: CaseTensors, tolerance: ToleranceClass): Bound {
  const relative = tolerance === 'shader' ? 1e-5 : 2e-6;
  if (tolerance === 'shader') return { absolute: 0, relative, reason: 'a sum of products' };
  const step = (Math.max(0, ...x.values) - Math.min(0, ...x.values)) / 127;
  const columns = scales.values.length;
  const weights = weightsOf(
    codes.values,
    scales.values,
    columns === 0 ? 0 : (4 * codes.values.length) / columns,
  );
  const squares = new Float64Array(columns);
  for (const [i, weight] of weights.entries()) squares[i % columns] += weight * weight;
  // Six standard deviations of the errors, half a step for a single term; derivatives of activations are at most 1.13.
  const absolute = 2 * step * Math.sqrt(Math.max(0, ...squares));
  return { absolute, relative, reason: 'activations of 7 bits: six standard deviations of their rounding' };
}
