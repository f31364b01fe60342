/**
 * Discretize: one thread per element of a result, [rows, D, N]. Its gradient takes four dispatches, since it binds twelve
 * buffers: sums over states, over the channels of a row, and over rows.
 */
import { rowsOf, sizeOf } from '../../plugin/kernels/sizes.js';
import { Discretize, DiscretizeGradient } from '../../plugin/ops/discretize.js';
import { columns } from './columns.js';
import { elements, floats } from './elements.js';
import { SIGMOID, SOFTPLUS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import { rows } from './rows.js';

const numbers = { channels: 'u32', states: 'u32' } as const;

const discretize = elements('Discretize', () => ({
  reads: floats('dt', 'stepBias', 'logA', 'inputGate', 'x'),
  writes: floats('decay', 'input'),
  numbers,
  functions: SOFTPLUS,
  body: `
    let at = i / numbers.states;
    let n = i % numbers.states;
    let row = at / numbers.channels;
    let d = at % numbers.channels;
    let step = softplus(dt[at] + stepBias[d]);
    decay[i] = exp(-exp(logA[d * numbers.states + n]) * step);
    input[i] = step * inputGate[row * numbers.states + n] * x[at];
  `,
}));

registerWebgpuKernel(Discretize, ({ inputs, outputs, shapes, ...running }) => {
  const [channels, states] = shapes.logA;
  const size = sizeOf(shapes.x) * states;
  discretize(running, { size, bind: { ...inputs, ...outputs }, numbers: { channels, states } });
});

const RATE = 'let rate = -exp(logA[d * numbers.states + n]);';

const stepGradient = elements('DiscretizeGradient step', () => ({
  reads: floats('dt', 'stepBias', 'logA', 'inputGate', 'x', 'ddecay', 'dinput'),
  writes: floats('dRawStep'),
  numbers,
  functions: SIGMOID + SOFTPLUS,
  body: `
    let row = i / numbers.channels;
    let d = i % numbers.channels;
    let raw = dt[i] + stepBias[d];
    let step = softplus(raw);
    var sum = 0.0;
    for (var n = 0u; n < numbers.states; n++) {
      ${RATE}
      let at = i * numbers.states + n;
      sum += ddecay[at] * exp(rate * step) * rate + dinput[at] * inputGate[row * numbers.states + n] * x[i];
    }
    dRawStep[i] = sum * sigmoid(raw);
  `,
}));

/** Gradients of x and of the gate: sums over the channels of a row, state by state. */
const rowGradients = rows('DiscretizeGradient rows', () => ({
  reads: floats('dt', 'stepBias', 'inputGate', 'x', 'dinput'),
  writes: floats('dx', 'dgate'),
  numbers: { states: 'u32' },
  functions: SOFTPLUS,
  body: `
    FOR_CHANNELS(c) {
      var sum = 0.0;
      for (var n = 0u; n < numbers.states; n++) {
        sum += dinput[(first + c) * numbers.states + n] * inputGate[row * numbers.states + n];
      }
      dx[first + c] = sum * softplus(dt[first + c] + stepBias[c]);
    }
    for (var n = 0u; n < numbers.states; n++) {
      var part = 0.0;
      FOR_CHANNELS(c) {
        let step = softplus(dt[first + c] + stepBias[c]);
        part += dinput[(first + c) * numbers.states + n] * step * x[first + c];
      }
      let sum = sum_of_row(lane, part);
      if (isFirst) { dgate[row * numbers.states + n] = sum; }
    }
  `,
}));

const rateGradient = columns('DiscretizeGradient rate', () => ({
  reads: floats('dt', 'stepBias', 'logA', 'ddecay'),
  writes: floats('dLogA'),
  numbers: { states: 'u32' },
  functions: SOFTPLUS,
  body: `
    let d = c / numbers.states;
    let rate = -exp(logA[c]);
    var part = 0.0;
    FOR_ROWS(row) {
      let step = softplus(dt[row * (numbers.channels / numbers.states) + d] + stepBias[d]);
      part += ddecay[row * numbers.channels + c] * exp(rate * step) * rate * step;
    }
    let sum = sum_of_column(lane, part);
    if (isFirst) { dLogA[c] = sum; }
  `,
}));

const biasGradient = columns('DiscretizeGradient bias', () => ({
  reads: floats('dRawStep'),
  writes: floats('dBias'),
  body: `
    var part = 0.0;
    FOR_ROWS(row) { part += dRawStep[row * numbers.channels + c]; }
    let sum = sum_of_column(lane, part);
    if (isFirst) { dBias[c] = sum; }
  `,
}));

registerWebgpuKernel(DiscretizeGradient, ({ inputs, outputs, shapes, ...running }) => {
  const [channels, states] = shapes.logA;
  const rows = rowsOf(shapes.x);
  const { dt: dRawStep, stepBias: dBias, logA: dLogA, inputGate: dgate, x: dx } = outputs;
  const bind = { ...inputs, dRawStep, dBias, dLogA, dgate, dx };
  stepGradient(running, { size: sizeOf(shapes.x), bind, numbers: { channels, states } });
  rowGradients(running, { rows, channels, bind, numbers: { states } });
  rateGradient(running, { rows, channels: channels * states, bind, numbers: { states } });
  biasGradient(running, { rows, channels, bind });
});
