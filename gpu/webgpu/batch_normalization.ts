/** BatchNormalization and its gradient, in two dispatches each: sums over all rows of a channel, then the normalisation. */
import { rowsOf, sizeOf } from '../../plugin/kernels/sizes.js';
import { BatchNormalization, BatchNormalizationGradient } from '../../plugin/ops/batch_normalization.js';
import { columns } from './columns.js';
import { elements, floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';

/** WGSL of the mean and the variance of a channel; the variance is computed after the mean is subtracted. */
const STATISTICS = `
  var total = 0.0;
  FOR_ROWS(row) { total += x[row * numbers.channels + c]; }
  let average = sum_of_column(lane, vec2(total)).x / f32(numbers.rows);
  var squares = 0.0;
  FOR_ROWS(row) {
    let centred = x[row * numbers.channels + c] - average;
    squares += centred * centred;
  }
  let spread = sum_of_column(lane, vec2(squares)).x / f32(numbers.rows);
`;

const statistics = columns('BatchNormalization statistics', () => ({
  reads: floats('x'),
  writes: floats('mean', 'variance'),
  sums: 2,
  body: `
    ${STATISTICS}
    if (isFirst) { mean[c] = average; variance[c] = spread; }
  `,
}));

const normalize = elements('BatchNormalization', () => ({
  reads: floats('x', 'gamma', 'beta', 'mean', 'variance'),
  writes: floats('y'),
  numbers: { channels: 'u32', epsilon: 'f32' },
  body: `
    let c = i % numbers.channels;
    y[i] = (x[i] - mean[c]) * (gamma[c] / sqrt(variance[c] + numbers.epsilon)) + beta[c];
  `,
}));

registerWebgpuKernel(BatchNormalization, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const bind = { ...inputs, ...outputs };
  const [channels] = shapes.gamma;
  statistics(running, { rows: rowsOf(shapes.x), channels, bind });
  normalize(running, { size: sizeOf(shapes.x), bind, numbers: { channels, ...attributes } });
});

/** `moments`: mean and inverse deviation of every channel. */
const gradientSums = columns('BatchNormalizationGradient sums', () => ({
  reads: floats('x', 'dy'),
  writes: { ...floats('dgamma', 'dbeta'), moments: 'vec2<f32>' },
  numbers: { epsilon: 'f32' },
  sums: 2,
  body: `
    ${STATISTICS}
    let inverse = 1.0 / sqrt(spread + numbers.epsilon);
    var sums = vec2(0.0);
    FOR_ROWS(row) {
      let at = row * numbers.channels + c;
      sums += dy[at] * vec2((x[at] - average) * inverse, 1.0);
    }
    let all = sum_of_column(lane, sums);
    if (isFirst) { dgamma[c] = all.x; dbeta[c] = all.y; moments[c] = vec2(average, inverse); }
  `,
}));

const gradient = elements('BatchNormalizationGradient', () => ({
  reads: { ...floats('x', 'gamma', 'dy', 'dgamma', 'dbeta'), moments: 'vec2<f32>' },
  writes: floats('dx'),
  numbers: { channels: 'u32', rows: 'u32' },
  body: `
    let c = i % numbers.channels;
    let normalized = (x[i] - moments[c].x) * moments[c].y;
    let along = (normalized * dgamma[c] + dbeta[c]) / f32(numbers.rows);
    dx[i] = (dy[i] - along) * moments[c].y * gamma[c];
  `,
}));

registerWebgpuKernel(
  BatchNormalizationGradient,
  ({ inputs, outputs, shapes, attributes, scratch, ...running }) => {
    const [channels] = shapes.gamma;
    const rows = rowsOf(shapes.x);
    const bind = { ...inputs, ...outputs, moments: scratch(8 * channels) };
    gradientSums(running, { rows, channels, bind, numbers: attributes });
    gradient(running, { size: sizeOf(shapes.x), bind, numbers: { channels, rows } });
  },
);
