/** LayerNormalization: some threads a row. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { LayerNormalization } from '../../plugin/ops/layer_normalization.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { moments, rows } from './rows.js';

const normalize = rows('LayerNormalization', () => ({
  reads: floats('x', 'gamma', 'beta'),
  writes: floats('y'),
  numbers: { epsilon: 'f32' },
  body: `
    ${moments('x', 'x[first + c]')}
    FOR_CHANNELS(c) { y[first + c] = (x[first + c] - x_mean) * x_inverse * gamma[c] + beta[c]; }
  `,
}));

registerWebgpuKernel(LayerNormalization, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const sizes = { rows: rowsOf(shapes.x), channels: shapes.gamma[0] };
  normalize(running, { ...sizes, bind: { ...inputs, ...outputs }, numbers: attributes });
});
