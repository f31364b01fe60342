/**
 * StateReadout: some threads a row. Its five vectors are bound as one buffer, which is made once for them: a device need
 * not bind more than eight.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { StateReadout } from '../../plugin/ops/state_readout.js';
import { elements, floats } from './elements.js';
import { keptBuffers } from './kept_buffers.js';
import { registerWebgpuKernel } from './kernels.js';
import { moments, rows } from './rows.js';

const VECTORS = ['skip', 'stateGamma', 'stateBeta', 'outputGamma', 'outputBeta'] as const;

/** The vectors one after another. */
const join = elements('StateReadout vectors', () => ({
  reads: floats(...VECTORS),
  writes: floats('vectors'),
  body: VECTORS.map((name, i) => `vectors[${i} * numbers.size + i] = ${name}[i];`).join('\n'),
}));

const vector = (name: (typeof VECTORS)[number]) => `vectors[${VECTORS.indexOf(name)} * numbers.channels + c]`;

/** What is normalised a second time lies in y: a thread reads back only what it wrote itself. */
const readOut = rows('StateReadout', () => ({
  reads: floats('state', 'outputGate', 'x', 'gate', 'vectors'),
  writes: floats('y'),
  numbers: { epsilon: 'f32' },
  body: `
    ${moments('state', 'state[first + c]')}
    FOR_CHANNELS(c) {
      let normalized = (state[first + c] - state_mean) * state_inverse;
      let read = normalized * ${vector('stateGamma')} + ${vector('stateBeta')};
      y[first + c] = read * outputGate[row] + ${vector('skip')} * x[first + c];
    }
    ${moments('mixed', 'y[first + c]')}
    FOR_CHANNELS(c) {
      let normalized = (y[first + c] - mixed_mean) * mixed_inverse;
      y[first + c] = (normalized * ${vector('outputGamma')} + ${vector('outputBeta')}) * gate[first + c];
    }
  `,
}));

registerWebgpuKernel(StateReadout, ({ inputs, outputs, shapes, attributes, runner, ...running }) => {
  const [channels] = shapes.skip;
  const vectors = keptBuffers(runner).get(
    VECTORS.map((name) => inputs[name]),
    'StateReadout vectors',
    () => runner.buffer(4 * VECTORS.length * channels),
    (vectors) => join(running, { size: channels, bind: { ...inputs, vectors } }),
  );
  readOut(running, {
    ...{ rows: rowsOf(shapes.x), channels },
    bind: { ...inputs, ...outputs, vectors },
    numbers: attributes,
  });
});
