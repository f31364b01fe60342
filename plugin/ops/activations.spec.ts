import { Gelu, Silu } from './activations.js';
import { centralDifferences } from './spec/differences.js';
import { changed, computing } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type PerfSpec, type Sample } from './spec/spec.js';
import { float32 } from './spec/tensor.js';

const perf: PerfSpec = {
  sample: ({ side, channels }, random) => ({ inputs: { x: random.tensor([1, side * side, channels]) } }),
};

function samples(random: Random): Sample[] {
  const range = Array.from({ length: 61 }, (_, i) => (i - 30) / 2.5);
  return [
    ...[[7], [1, 1], [2, 3, 5], [2, 2, 2, 3, 3]].map((shape) => ({
      what: shape.length === 3 ? 'normal' : `normal, shape ${shape}`,
      inputs: { x: random.tensor(shape) },
    })),
    { what: 'from -12 to 12', inputs: { x: float32([range.length], range) } },
    { what: 'large and tiny', inputs: { x: float32([6], [-80, 80, -1e-30, 1e-30, 0, 30]) } },
    {
      what: 'beyond every exponential',
      inputs: { x: float32([5], [-1e30, 1e30, -200, 200, Number.POSITIVE_INFINITY]) },
      withoutGradient: true,
      notFinite: true,
    },
  ];
}

export const geluSpec = defineSpec(Gelu, {
  formula: ({ inputs: { x } }) => ({ y: Float64Array.from(x, geluOf) }),
  tolerance: { float32: 1e-6, shader: 1e-5, reason: 'erf by polynomials accurate to 1.5e-7, times x' },
  samples,
  faults: {
    'the tanh approximation': computing(({ inputs: { x } }) => ({
      y: x.map((v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))),
    })),
  },
  perf,
});

export const siluSpec = defineSpec(Silu, {
  formula: ({ inputs: { x } }) => ({ y: Float64Array.from(x, siluOf) }),
  tolerance: { float32: 1e-6, shader: 1e-5, reason: 'exp within two units, one quotient, one product' },
  samples,
  faults: {
    'exp overflows': changed('y', (y, i, { inputs: { x } }) => (Math.abs(x[i]) > 60 ? Number.NaN : y)),
  },
  perf,
});

/** Nodes and weights of the five-point Gauss-Legendre rule on [-1, 1]. */
const GAUSS_LEGENDRE = [
  [0, 128 / 225],
  ...[-1, 1].flatMap((sign) => [
    [(sign * Math.sqrt(5 - 2 * Math.sqrt(10 / 7))) / 3, (322 + 13 * Math.sqrt(70)) / 900],
    [(sign * Math.sqrt(5 + 2 * Math.sqrt(10 / 7))) / 3, (322 - 13 * Math.sqrt(70)) / 900],
  ]),
];

/** P(X <= x) of a standard normal X: the integral from 0, in panels of half a unit, each accurate to about 1e-13. */
function normalDistribution(x: number): number {
  const end = Math.min(Math.abs(x), 9); // beyond, 1 - P is below 1e-18
  const panels = Math.ceil(2 * end);
  const width = end / panels;
  let sum = 0;
  for (let i = 0; i < panels; i++) {
    for (const [node, weight] of GAUSS_LEGENDRE) {
      const at = (i + (node + 1) / 2) * width;
      sum += weight * Math.exp((-at * at) / 2);
    }
  }
  const half = panels === 0 ? 0 : (sum * width) / 2 / Math.sqrt(2 * Math.PI);
  return x < 0 ? 0.5 - half : 0.5 + half;
}

export const geluOf = (x: number): number => x * normalDistribution(x);
export const siluOf = (x: number): number => x / (1 + Math.exp(-x));
/** log(1 + e^x). */
export const softplusOf = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));

/** Applies an activation by name. */
export function activated(activation: string, x: number): number {
  if (activation === 'relu') return Math.max(x, 0);
  return activation === 'gelu' ? geluOf(x) : activation === 'silu' ? siluOf(x) : x;
}

/** The derivatives of an activation at each of the sums. */
export function slopesOf(activation: string, sums: Float64Array): Float64Array {
  if (activation === 'none') return sums.map(() => 1);
  if (activation === 'relu') return sums.map((sum) => (sum > 0 ? 1 : 0));
  return sums.map((sum) => centralDifferences(([at]) => activated(activation, at[0]), [[sum]])[0][0]);
}
