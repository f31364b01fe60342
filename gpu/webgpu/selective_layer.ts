/**
 * SelectiveLayer: eight dispatches one after another, without tfjs in between. Each uses the whole device: a token has too
 * few sums for a workgroup that would do more at once.
 */
import { SelectiveLayer } from '../../plugin/ops/selective_layer.js';
import { convolveWithPast } from './causal_convolution.js';
import { elements, floats } from './elements.js';
import { SOFTPLUS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import { runLinear } from './linear.js';
import { normalizeRootMeanSquare } from './root_mean_square_normalization.js';
import { scanTokens } from './selective_scan.js';

/** From the x_proj output of a token to dt, dt * x, and the gates. */
const takeSteps = elements('SelectiveLayer step', () => ({
  reads: floats('selected', 'stepProjection', 'stepBias', 'u'),
  writes: floats('step', 'deltaU', 'inputGate', 'outputGate'),
  numbers: { channels: 'u32', rank: 'u32', states: 'u32' },
  functions: SOFTPLUS,
  body: `
    let row = i / numbers.channels;
    let d = i % numbers.channels;
    let chosen = row * (numbers.rank + 2 * numbers.states);
    var raw = stepBias[d];
    for (var r = 0u; r < numbers.rank; r++) {
      raw += selected[chosen + r] * stepProjection[r * numbers.channels + d];
    }
    let stepSize = softplus(raw);
    step[i] = stepSize;
    deltaU[i] = stepSize * u[i];
    for (var n = d; n < numbers.states; n += numbers.channels) {
      inputGate[row * numbers.states + n] = selected[chosen + numbers.rank + n];
      outputGate[row * numbers.states + n] = selected[chosen + numbers.rank + numbers.states + n];
    }
  `,
}));

/** The readout of the states plus the skip connection, times the gate. */
const applyGate = elements('SelectiveLayer gate', () => ({
  reads: floats('scanned', 'u', 'skip', 'gate'),
  writes: floats('gated'),
  numbers: { channels: 'u32' },
  body: 'gated[i] = (scanned[i] + u[i] * skip[i % numbers.channels]) * gate[i];',
}));

registerWebgpuKernel(SelectiveLayer, ({ inputs, outputs, shapes, attributes, scratch, ...running }) => {
  const { x, filterBias: bias, filter, past, stepProjection, stepBias, logA, state, skip } = inputs;
  const { gamma, inputProjection, inputBias, selection, outputProjection, outputBias } = inputs;
  const [batch, length, hidden] = shapes.x;
  const [channels, states] = shapes.logA;
  const [rank] = shapes.stepProjection;
  const rows = batch * length;
  const inner = [batch, length, channels];
  const size = rows * channels;
  const floats = (width: number) => scratch(4 * rows * width);

  const [normalized, projected, gate] = [floats(hidden), floats(channels), floats(channels)];
  const { epsilon, inputScale } = attributes;
  const norm = { x, gamma, y: normalized };
  normalizeRootMeanSquare(running, { rows, channels: hidden, bind: norm, numbers: { epsilon } });
  const toInner = { x: normalized, weights: inputProjection, bias: inputBias, y: projected, gate };
  runLinear(running, rows, toInner, 'silu');

  const [u, selected] = [floats(channels), floats(rank + 2 * states)];
  convolveWithPast(running, inner, {
    ...{ x: projected, filter, bias, past, y: u },
    nextPast: outputs.nextPast,
  });
  runLinear(running, rows, { x: u, weights: selection, y: selected });
  const [step, deltaU, inputGate, outputGate] = [channels, channels, states, states].map(floats);
  takeSteps(running, {
    size,
    bind: { selected, stepProjection, stepBias, u, step, deltaU, inputGate, outputGate },
    numbers: { channels, rank, states },
  });

  const [scanned, gated] = [floats(channels), floats(channels)];
  const { nextState } = outputs;
  const scan = { step, deltaU, logA, inputGate, outputGate, state, y: scanned, nextState };
  scanTokens(running, inner, scan, inputScale);
  applyGate(running, { size, bind: { scanned, u, skip, gate, gated }, numbers: { channels } });
  const back = { x: gated, weights: outputProjection, bias: outputBias, residual: x, y: outputs.y };
  runLinear(running, rows, back);
});
