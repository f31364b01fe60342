/**
 * StateReadout: several threads per row. Its five vectors are concatenated to one buffer, made once for them, because a
 * device need not bind more than eight. Its gradient takes six dispatches, since it binds nineteen buffers: the forward pass
 * again, the backward pass through both normalisations, and sums over the rows.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { StateReadout, StateReadoutGradient } from '../../plugin/ops/state_readout.js';
import { columns } from './columns.js';
import { elements, floats } from './elements.js';
import { keptBuffers } from './kept_buffers.js';
import { registerWebgpuKernel } from './kernels.js';
import { gradientMeans, moments, rows } from './rows.js';

const VECTORS = ['skip', 'stateGamma', 'stateBeta', 'outputGamma', 'outputBeta'] as const;

/** The vectors one after another. */
const join = elements('StateReadout vectors', () => ({
  reads: floats(...VECTORS),
  writes: floats('vectors'),
  body: VECTORS.map((name, i) => `vectors[${i} * numbers.size + i] = ${name}[i];`).join('\n'),
}));

const vector = (name: (typeof VECTORS)[number]) => `vectors[${VECTORS.indexOf(name)} * numbers.channels + c]`;

/** The input of the second normalisation is stored in y: a thread reads back only what it has written itself. */
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

/** For every row the mean and inverse deviation of the states, then of the input of the second normalisation. */
const MOMENTS = { stats: 'vec4<f32>' };
const STATE = '(state[first + c] - stats[row].x) * stats[row].y';
const MIXED = '(mixed[first + c] - stats[row].z) * stats[row].w';

const forwards = rows('StateReadoutGradient forwards', () => ({
  reads: floats('state', 'outputGate', 'x', 'skip', 'stateGamma', 'stateBeta'),
  writes: { ...floats('mixed'), ...MOMENTS },
  numbers: { epsilon: 'f32' },
  body: `
    ${moments('state', 'state[first + c]')}
    FOR_CHANNELS(c) {
      let read = (state[first + c] - state_mean) * state_inverse * stateGamma[c] + stateBeta[c];
      mixed[first + c] = read * outputGate[row] + skip[c] * x[first + c];
    }
    ${moments('mixed', 'mixed[first + c]')}
    if (isFirst) { stats[row] = vec4(state_mean, state_inverse, mixed_mean, mixed_inverse); }
  `,
}));

const throughOutput = rows('StateReadoutGradient output', () => ({
  reads: { ...floats('mixed', 'dy', 'gate', 'outputGamma', 'outputBeta'), ...MOMENTS },
  writes: floats('dMixed', 'dGate'),
  body: `
    ${gradientMeans('means', 'dy[first + c] * gate[first + c] * outputGamma[c]', MIXED)}
    FOR_CHANNELS(c) {
      let normalized = ${MIXED};
      dGate[first + c] = dy[first + c] * (normalized * outputGamma[c] + outputBeta[c]);
      let scaled = pinned(dy[first + c] * gate[first + c] * outputGamma[c]);
      dMixed[first + c] = stats[row].w * (scaled - means.x - normalized * means.y);
    }
  `,
}));

const throughState = rows('StateReadoutGradient state', () => ({
  reads: { ...floats('dMixed', 'state', 'outputGate', 'stateGamma'), ...MOMENTS },
  writes: floats('dState'),
  body: `
    ${gradientMeans('means', 'dMixed[first + c] * outputGate[row] * stateGamma[c]', STATE)}
    FOR_CHANNELS(c) {
      let scaled = pinned(dMixed[first + c] * outputGate[row] * stateGamma[c]);
      dState[first + c] = stats[row].y * (scaled - means.x - ${STATE} * means.y);
    }
  `,
}));

const pastState = rows('StateReadoutGradient gates', () => ({
  reads: { ...floats('dMixed', 'state', 'stateGamma', 'stateBeta', 'skip'), ...MOMENTS },
  writes: floats('dOutputGate', 'dX'),
  body: `
    var part = 0.0;
    FOR_CHANNELS(c) {
      part += dMixed[first + c] * (${STATE} * stateGamma[c] + stateBeta[c]);
      dX[first + c] = dMixed[first + c] * skip[c];
    }
    let sum = sum_of_row(lane, part);
    if (isFirst) { dOutputGate[row] = sum; }
  `,
}));

const stateSums = columns('StateReadoutGradient state sums', () => ({
  reads: { ...floats('dMixed', 'x', 'state', 'outputGate'), ...MOMENTS },
  writes: floats('dSkip', 'dStateGamma', 'dStateBeta'),
  sums: 3,
  body: `
    var part = vec3(0.0);
    FOR_ROWS(row) {
      let at = row * numbers.channels + c;
      let normalized = (state[at] - stats[row].x) * stats[row].y;
      part += dMixed[at] * vec3(x[at], outputGate[row] * normalized, outputGate[row]);
    }
    let sum = sum_of_column(lane, part);
    if (isFirst) { dSkip[c] = sum.x; dStateGamma[c] = sum.y; dStateBeta[c] = sum.z; }
  `,
}));

const outputSums = columns('StateReadoutGradient output sums', () => ({
  reads: { ...floats('dy', 'gate', 'mixed'), ...MOMENTS },
  writes: floats('dOutputGamma', 'dOutputBeta'),
  sums: 2,
  body: `
    var part = vec2(0.0);
    FOR_ROWS(row) {
      let at = row * numbers.channels + c;
      part += dy[at] * gate[at] * vec2((mixed[at] - stats[row].z) * stats[row].w, 1.0);
    }
    let sum = sum_of_column(lane, part);
    if (isFirst) { dOutputGamma[c] = sum.x; dOutputBeta[c] = sum.y; }
  `,
}));

registerWebgpuKernel(StateReadoutGradient, ({ inputs, outputs, shapes, attributes, scratch, ...running }) => {
  const sizes = { rows: rowsOf(shapes.x), channels: shapes.skip[0] };
  const bytes = 4 * sizes.rows * sizes.channels;
  const gradients = Object.entries(outputs).map(
    ([name, gradient]) => [`d${name[0].toUpperCase()}${name.slice(1)}`, gradient] as const,
  );
  const bind = {
    ...inputs,
    ...Object.fromEntries(gradients),
    ...{ mixed: scratch(bytes), dMixed: scratch(bytes), stats: scratch(16 * sizes.rows) },
  };
  forwards(running, { ...sizes, bind, numbers: attributes });
  for (const run of [throughOutput, throughState, pastState]) run(running, { ...sizes, bind });
  for (const run of [stateSums, outputSums]) run(running, { ...sizes, bind });
});
