/** The fused ops in float64, each from its formula. Arrays are row-major, channels last. */

type Numbers = ArrayLike<number>;

/** P(X <= x) of a standard normal X, by Simpson's rule from 0. */
function normalDistribution(x: number): number {
  const steps = 2048;
  const end = Math.min(Math.abs(x), 9); // beyond, 1 - P is below 1e-18
  const h = end / steps;
  const density = (at: number) => Math.exp((-at * at) / 2);
  let sum = density(0) + density(end);
  for (let i = 1; i < steps; i++) sum += (i % 2 === 1 ? 4 : 2) * density(i * h);
  const half = (sum * h) / 3 / Math.sqrt(2 * Math.PI);
  return x < 0 ? 0.5 - half : 0.5 + half;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
export const geluOf = (x: number): number => x * normalDistribution(x);
export const siluOf = (x: number): number => x * sigmoid(x);
/** log(1 + e^x). */
export const softplusOf = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)));

export const gelu = (x: Numbers): Float64Array => Float64Array.from(x, geluOf);
export const silu = (x: Numbers): Float64Array => Float64Array.from(x, siluOf);

export function layerNormalization(x: Numbers, gamma: Numbers, beta: Numbers, epsilon: number): Float64Array {
  const channels = gamma.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += channels) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += x[row + c] / channels;
    let variance = 0;
    for (let c = 0; c < channels; c++) variance += (x[row + c] - mean) ** 2 / channels;
    for (let c = 0; c < channels; c++) {
      y[row + c] = ((x[row + c] - mean) / Math.sqrt(variance + epsilon)) * gamma[c] + beta[c];
    }
  }
  return y;
}

/** decay and input of a scan: see the op Discretize. D channels, N states each. */
export function discretize(
  rawStep: Numbers,
  stepBias: Numbers,
  logA: Numbers,
  inputGate: Numbers,
  x: Numbers,
): { decay: Float64Array; input: Float64Array } {
  const channels = stepBias.length;
  const states = logA.length / channels;
  const decay = new Float64Array(x.length * states);
  const input = new Float64Array(x.length * states);
  for (let i = 0; i < x.length; i++) {
    const [row, d] = [Math.floor(i / channels), i % channels];
    const step = softplusOf(rawStep[i] + stepBias[d]);
    for (let n = 0; n < states; n++) {
      decay[i * states + n] = Math.exp(-Math.exp(logA[d * states + n]) * step);
      input[i * states + n] = step * inputGate[row * states + n] * x[i];
    }
  }
  return { decay, input };
}

/** The two normalisations around the read-out of a state-space model: see the op StateReadout. */
export function stateReadout(
  state: Numbers,
  outputGate: Numbers,
  x: Numbers,
  skip: Numbers,
  gate: Numbers,
  [stateGamma, stateBeta, outputGamma, outputBeta]: readonly Numbers[],
  epsilon: number,
): Float64Array {
  const channels = skip.length;
  const read = layerNormalization(state, stateGamma, stateBeta, epsilon);
  const mixed = read.map(
    (value, i) => value * outputGate[Math.floor(i / channels)] + skip[i % channels] * x[i],
  );
  return layerNormalization(mixed, outputGamma, outputBeta, epsilon).map((value, i) => value * gate[i]);
}

/** Columns of a matrix with `width` columns, from `first` up to `end`. */
export function columns(values: Numbers, width: number, first: number, end: number): Float64Array {
  const count = end - first;
  return Float64Array.from(
    { length: (values.length / width) * count },
    (_, i) => values[Math.floor(i / count) * width + first + (i % count)],
  );
}

/** activation(x @ weights + bias), of the columns from `first` up to `end`. `outputs`: columns of weights. */
export function linear(
  x: Numbers,
  weights: Numbers,
  bias: Numbers | undefined,
  outputs: number,
  activation: string,
  [first, end]: readonly [number, number] = [0, outputs],
): Float64Array {
  const inputs = weights.length / outputs;
  const used = end - first;
  const y = new Float64Array((x.length / inputs) * used);
  for (let i = 0; i < y.length; i++) {
    const [row, o] = [Math.floor(i / used) * inputs, first + (i % used)];
    let sum = bias ? bias[o] : 0;
    for (let k = 0; k < inputs; k++) sum += x[row + k] * weights[k * outputs + o];
    y[i] = activation === 'gelu' ? geluOf(sum) : activation === 'silu' ? siluOf(sum) : sum;
  }
  return y;
}

/**
 * Gradient of a function of several arrays by central differences, with one step of Richardson's extrapolation:
 * about 1e-10 for the smooth functions above.
 */
export function centralDifferences(
  f: (inputs: readonly Float64Array[]) => number,
  inputs: readonly Numbers[],
): Float64Array[] {
  const point = inputs.map((values) => Float64Array.from(values));
  return point.map((values) =>
    values.map((value, i) => {
      const slope = (h: number) => {
        values[i] = value + h;
        const above = f(point);
        values[i] = value - h;
        const below = f(point);
        values[i] = value;
        return (above - below) / (2 * h);
      };
      const h = 2e-3 * Math.max(1, Math.abs(value));
      return (4 * slope(h / 2) - slope(h)) / 3;
    }),
  );
}
