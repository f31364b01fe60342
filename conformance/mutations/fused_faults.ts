/** Faults of the fused ops. */
import type { HostKernelFunction } from '../backend.js';
import { columns, layerNormalization, silu, stateReadout } from '../oracles/fused_ops.js';
import { type Arguments, before, type Fault, mapped } from './fault.js';

const fault = (op: string, name: string, kernel: Fault['kernel']): Fault => ({ name, op, kernel });

const computing =
  (output: string, run: (args: Arguments) => ArrayLike<number>) => (): HostKernelFunction => (args) =>
    args.outputs[output].set(run(args));

const withEpsilon = (op: string, epsilon: (given: number) => number) =>
  before(op, ({ attributes }) => ({
    attributes: { ...attributes, epsilon: epsilon(attributes.epsilon as number) },
  }));

export const FUSED_FAULTS: readonly Fault[] = [
  fault(
    'LayerNormalization',
    'the default epsilon is always used',
    withEpsilon('LayerNormalization', () => 1e-6),
  ),
  fault(
    'LayerNormalization',
    'the variance is divided by C - 1',
    computing('y', ({ inputs: { x, gamma, beta }, attributes }) => {
      const channels = gamma.length;
      const scale = Math.sqrt((channels - 1) / channels);
      const bare = gamma.map(() => 1);
      const normalized = layerNormalization(
        x,
        bare,
        gamma.map(() => 0),
        attributes.epsilon as number,
      );
      return normalized.map((value, i) => value * scale * gamma[i % channels] + beta[i % channels]);
    }),
  ),
  fault(
    'LayerNormalization',
    'the shift is missing',
    mapped('LayerNormalization', 'beta', () => 0),
  ),
  fault(
    'Gelu',
    'the tanh approximation',
    computing('y', ({ inputs: { x } }) =>
      Float64Array.from(
        x,
        (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
      ),
    ),
  ),
  fault(
    'Silu',
    'exp overflows',
    computing('y', ({ inputs: { x } }) => silu(x).map((y, i) => (Math.abs(x[i]) > 60 ? Number.NaN : y))),
  ),
  fault(
    'Discretize',
    'the bias of the step is missing',
    mapped('Discretize', 'stepBias', () => 0),
  ),
  fault(
    'Discretize',
    'states are laid out before channels',
    mapped('Discretize', 'logA', (_, i, { inputs: { logA }, shapes }) => {
      const [channels, states] = shapes.logA;
      return logA[(i % channels) * states + Math.floor(i / channels)];
    }),
  ),
  fault(
    'Linear',
    'the bias is missing',
    before('Linear', ({ inputs: { x, weights } }) => ({ inputs: { x, weights } })),
  ),
  fault(
    'Linear',
    'the first columns are always used',
    before('Linear', ({ attributes: { firstOutput, endOutput, ...rest }, shapes }) => {
      const end = endOutput === undefined || endOutput === -1 ? shapes.weights[1] : Number(endOutput);
      return { attributes: { ...rest, firstOutput: 0, endOutput: end - Number(firstOutput ?? 0) } };
    }),
  ),
  fault(
    'Linear',
    'the activation is missing',
    before('Linear', ({ attributes }) => ({ attributes: { ...attributes, activation: 'none' } })),
  ),
  fault(
    'SelectiveSplit',
    'B and C are swapped',
    () =>
      ({ inputs: { selected }, outputs, shapes, attributes }) => {
        const [width, states] = [shapes.selected[2], attributes.states as number];
        outputs.step.set(columns(selected, width, 0, width - 2 * states));
        outputs.outputGate.set(columns(selected, width, width - 2 * states, width - states));
        outputs.inputGate.set(columns(selected, width, width - states, width));
      },
  ),
  fault(
    'StateReadout',
    'what goes past the scan is normalised away',
    computing('y', ({ inputs, attributes }) => {
      const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
      const affine = [stateGamma, stateBeta, outputGamma, outputBeta];
      return stateReadout(
        state,
        outputGate,
        x,
        skip.map(() => 0),
        gate,
        affine,
        attributes.epsilon as number,
      );
    }),
  ),
];
