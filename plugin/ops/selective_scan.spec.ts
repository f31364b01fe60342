import type { Shapes } from './declaration.js';
import { SelectiveScan } from './selective_scan.js';
import { always, firstItem, mapped, roundedToFloat16, swapped, tailMissing, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type Fault, type Values } from './spec/spec.js';

export const selectiveScanSpec = defineSpec(SelectiveScan, {
  formula: ({ inputs, shapes, attributes: { inputScale } }) =>
    scanOf(inputs, scanSizesOf(shapes), { state: inputs.state, inputScale }),
  gradient: ({ inputs, shapes, attributes: { inputScale } }, dy) => {
    const { state, ...gradients } = scanGradients(inputs, scanSizesOf(shapes), dy, {
      state: inputs.state,
      inputScale,
    });
    return inputs.state ? { ...gradients, state } : gradients;
  },
  tolerance: { float32: 2e-6, shader: 2e-5, reason: 'one rounding a token, as a tree scan, and a sum of N' },
  samples: (random) => {
    const sample = (sizes: ScanSizes, inputScale: number, continued: boolean) => {
      const { batch, channels, states } = sizes;
      return {
        what: `${describeScan(sizes)}, scale ${inputScale}${continued ? ', continued' : ''}`,
        inputs: {
          ...scanInputs(random, sizes),
          ...(continued && { state: random.tensor([batch, channels, states]) }),
        },
        attributes: { inputScale },
        withoutGradient: isTooLarge(sizes),
      };
    };
    return [
      ...SCAN_SIZES.flatMap((sizes) => [
        sample(sizes, 1, false),
        sample(sizes, 1.3, false),
        sample(sizes, 1.3, true),
      ]),
      // More states than shaders hold at a time.
      sample({ batch: 1, length: 256, channels: 512, states: 33 }, 0.7, true),
    ];
  },
  faults: {
    'the state is left out': without('state'),
    'every item of a batch has the first one’s state': firstItem('state'),
    'the scale of the inputs is left out': always({ inputScale: 1 }),
    'the state is scaled too': mapped(
      'state',
      (h, _, { attributes }) => h * (attributes.inputScale as number),
    ),
    'the gates are swapped': swapped('inputGate', 'outputGate'),
    'the rates are laid out by state': mapped('logA', (_, i, { inputs: { logA }, shapes }) => {
      const [channels, states] = shapes.logA;
      return logA[(i % channels) * states + Math.floor(i / channels)];
    }),
    'the rates are A, not log(-A)': mapped('logA', (value) => Math.log(Math.abs(value) + 1e-9)),
    'states beyond a multiple of four are missing': tailMissing('outputGate'),
    'states beyond the sixteenth are missing': mapped('outputGate', (value, i, { shapes: { outputGate } }) =>
      i % outputGate[2] < 16 ? value : 0,
    ),
    'the next state is that before the last token': nextStateOneTokenShort(),
    'steps are rounded to float16': roundedToFloat16('step'),
  },
  perf: {
    sample: ({ side, channels }, random) => ({
      inputs: scanInputs(random, { batch: 1, length: side * side, channels, states: 16 }),
    }),
  },
});

/** Inputs that both selective scans share: see their declarations. */
export type ScanValues = Readonly<Record<'step' | 'deltaU' | 'logA' | 'inputGate' | 'outputGate', Values>>;

export interface ScanSizes {
  readonly batch: number;
  readonly length: number;
  readonly channels: number;
  readonly states: number;
}

/** One token and one state, channels and states around the widths of registers, and lengths that take another loop. */
export const SCAN_SIZES: readonly ScanSizes[] = [
  { batch: 1, length: 1, channels: 1, states: 1 },
  { batch: 2, length: 1, channels: 5, states: 16 },
  { batch: 2, length: 2, channels: 4, states: 1 },
  { batch: 1, length: 9, channels: 3, states: 16 },
  { batch: 3, length: 5, channels: 9, states: 3 },
  { batch: 1, length: 33, channels: 17, states: 4 },
  { batch: 2, length: 3, channels: 6, states: 5 },
  { batch: 1, length: 4, channels: 7, states: 7 },
  { batch: 1, length: 33, channels: 2, states: 3 },
  { batch: 1, length: 40, channels: 9, states: 16 },
  { batch: 2, length: 17, channels: 33, states: 20 },
  { batch: 0, length: 4, channels: 3, states: 2 },
  { batch: 1, length: 4, channels: 3, states: 0 },
];

export function describeScan({ batch, length, channels, states }: ScanSizes): string {
  return `B = ${batch}, L = ${length}, D = ${channels}, N = ${states}`;
}

/** Finite differences of larger samples take seconds; empty samples have none. */
export function isTooLarge({ batch, length, channels, states }: ScanSizes): boolean {
  const size = batch * length * channels * states;
  return size === 0 || size > 500;
}

export function scanInputs(random: Random, { batch, length, channels, states }: ScanSizes) {
  const tokens = [batch, length];
  return {
    // dt as from a softplus, decays from almost 0 to almost 1.
    step: random.tensor([...tokens, channels], () => Math.exp(random.normal() - 1)),
    deltaU: random.tensor([...tokens, channels]),
    logA: random.tensor([channels, states]),
    inputGate: random.tensor([...tokens, states]),
    outputGate: random.tensor([...tokens, states]),
  };
}

export function scanSizesOf({ step, logA }: Shapes): ScanSizes {
  const [batch, length, channels] = step;
  return { batch, length, channels, states: logA[1] };
}

/** h[t] = decay[t] h[t-1] + inputScale * deltaU[t] inputGate[t], multiplied by the output gate; and the last states. */
export function scanOf(
  { step, deltaU, logA, inputGate, outputGate }: ScanValues,
  { batch, length, channels, states }: ScanSizes,
  { state, inputScale = 1 }: { readonly state?: Values; readonly inputScale?: number } = {},
): { y: Float64Array; nextState: Float64Array } {
  const y = new Float64Array(batch * length * channels);
  const nextState = Float64Array.from(state ?? new Float64Array(batch * channels * states));
  for (let i = 0; i < nextState.length; i++) {
    const [b, d, n] = [Math.floor(i / (channels * states)), Math.floor(i / states) % channels, i % states];
    const rate = -Math.exp(logA[d * states + n]);
    let h = nextState[i];
    for (let t = b * length; t < (b + 1) * length; t++) {
      const at = t * channels + d;
      h = Math.exp(rate * step[at]) * h + inputScale * deltaU[at] * inputGate[t * states + n];
      y[at] += h * outputGate[t * states + n];
    }
    nextState[i] = h;
  }
  return { y, nextState };
}

/** The gradients of the sum of dy * output of {@link scanOf}, by input. */
export function scanGradients(
  { step, deltaU, logA, inputGate, outputGate }: ScanValues,
  { length, channels, states }: ScanSizes,
  dy: { readonly y: Values; readonly nextState: Values },
  { state, inputScale = 1 }: { readonly state?: Values; readonly inputScale?: number } = {},
) {
  const like = (values: Values) => new Float64Array(values.length);
  const gradients = {
    step: like(step),
    deltaU: like(deltaU),
    logA: like(logA),
    inputGate: like(inputGate),
    outputGate: like(outputGate),
    state: Float64Array.from(dy.nextState),
  };
  const before = new Float64Array(length);
  for (let i = 0; i < gradients.state.length; i++) {
    const [b, d, n] = [Math.floor(i / (channels * states)), Math.floor(i / states) % channels, i % states];
    const rate = -Math.exp(logA[d * states + n]);
    const at = (t: number) => (b * length + t) * channels + d;
    const gate = (t: number) => (b * length + t) * states + n;
    const decay = (t: number) => Math.exp(rate * step[at(t)]);
    let h = state ? state[i] : 0;
    for (let t = 0; t < length; t++) {
      before[t] = h;
      h = decay(t) * h + inputScale * deltaU[at(t)] * inputGate[gate(t)];
      gradients.outputGate[gate(t)] += dy.y[at(t)] * h;
    }
    let dh = gradients.state[i];
    for (let t = length - 1; t >= 0; t--) {
      dh += dy.y[at(t)] * outputGate[gate(t)];
      gradients.deltaU[at(t)] += dh * inputScale * inputGate[gate(t)];
      gradients.inputGate[gate(t)] += dh * inputScale * deltaU[at(t)];
      // Of the exponent, the product of rate and step; the rate is its own derivative in logA.
      const dexponent = dh * before[t] * decay(t);
      gradients.step[at(t)] += dexponent * rate;
      gradients.logA[d * states + n] += dexponent * rate * step[at(t)];
      dh *= decay(t);
    }
    gradients.state[i] = dh;
  }
  return gradients;
}

function nextStateOneTokenShort(): Fault {
  return (correct) => (args) => {
    correct(args);
    const { length, channels } = scanSizesOf(args.shapes);
    // A token with step and deltaU 0 leaves the states unchanged.
    const still = (values: Values) =>
      Float32Array.from(values, (value, i) => (Math.floor(i / channels) % length === length - 1 ? 0 : value));
    const { step, deltaU } = args.inputs;
    correct({
      ...args,
      inputs: { ...args.inputs, step: still(step), deltaU: still(deltaU) },
      outputs: { ...args.outputs, y: args.outputs.y.slice() },
    });
  };
}
