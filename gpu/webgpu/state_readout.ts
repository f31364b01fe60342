/**
 * StateReadout: some threads a row. It binds ten buffers, more than every device allows: where there are fewer, what the
 * states and the skip make of a row is written by a first dispatch and normalised by a second.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { StateReadout } from '../../plugin/ops/state_readout.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { moments, rows } from './rows.js';

/** What the states and the skip make of a row, in the place of y. A thread reads back only what it wrote itself. */
const mix = {
  reads: ['state', 'outputGate', 'x', 'skip', 'stateGamma', 'stateBeta'],
  body: `
    ${moments('state', 'state[first + c]')}
    FOR_CHANNELS(c) {
      let read = (state[first + c] - state_mean) * state_inverse * stateGamma[c] + stateBeta[c];
      y[first + c] = read * outputGate[row] + skip[c] * x[first + c];
    }
  `,
};

const finish = {
  reads: ['gate', 'outputGamma', 'outputBeta'],
  body: `
    ${moments('mixed', 'y[first + c]')}
    FOR_CHANNELS(c) {
      let normalized = (y[first + c] - mixed_mean) * mixed_inverse;
      y[first + c] = (normalized * outputGamma[c] + outputBeta[c]) * gate[first + c];
    }
  `,
};

const stages = ({ reads, body }: typeof mix) => ({
  reads: floats(...reads),
  writes: floats('y'),
  numbers: { epsilon: 'f32' as const },
  body,
});

const inOne = rows('StateReadout', () =>
  stages({ reads: [...mix.reads, ...finish.reads], body: mix.body + finish.body }),
);
const inTwo = [
  rows('StateReadout mix', () => stages(mix)),
  rows('StateReadout finish', () => stages(finish)),
];

registerWebgpuKernel(StateReadout, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const buffers = Object.keys({ ...inputs, ...outputs }).length;
  const call = {
    rows: rowsOf(shapes.x),
    channels: shapes.skip[0],
    bind: { ...inputs, ...outputs },
    numbers: attributes,
  };
  const dispatches = running.limits.storageBuffers >= buffers ? [inOne] : inTwo;
  for (const dispatch of dispatches) dispatch(running, call);
});
