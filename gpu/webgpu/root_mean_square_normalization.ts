/** RootMeanSquareNormalization: several threads per row. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { RootMeanSquareNormalization } from '../../plugin/ops/root_mean_square_normalization.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { rows } from './rows.js';

export const normalizeRootMeanSquare = rows('RootMeanSquareNormalization', () => ({
  reads: floats('x', 'gamma'),
  writes: floats('y'),
  numbers: { epsilon: 'f32' },
  body: `
    var squares = 0.0;
    FOR_CHANNELS(c) { squares += x[first + c] * x[first + c]; }
    let inverse = 1.0 / sqrt(sum_of_row(lane, squares) * numbers.inverseChannels + numbers.epsilon);
    FOR_CHANNELS(c) { y[first + c] = x[first + c] * inverse * gamma[c]; }
  `,
}));

registerWebgpuKernel(RootMeanSquareNormalization, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const sizes = { rows: rowsOf(shapes.x), channels: shapes.gamma[0] };
  normalizeRootMeanSquare(running, { ...sizes, bind: { ...inputs, ...outputs }, numbers: attributes });
});
