/**
 * LayerNormalization: several threads per row. Its gradient takes two dispatches: one along rows, then, with the moments of
 * all rows, one along columns.
 */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { LayerNormalization, LayerNormalizationGradient } from '../../plugin/ops/layer_normalization.js';
import { columns } from './columns.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { gradientMeans, moments, rows } from './rows.js';

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

const NORMALIZED = '(x[first + c] - x_mean) * x_inverse';

const alongRows = rows('LayerNormalizationGradient rows', () => ({
  reads: floats('x', 'gamma', 'dy'),
  writes: { dx: 'f32', moments: 'vec2<f32>' },
  numbers: { epsilon: 'f32' },
  body: `
    ${moments('x', 'x[first + c]')}
    if (isFirst) { moments[row] = vec2(x_mean, x_inverse); }
    ${gradientMeans('means', 'dy[first + c] * gamma[c]', NORMALIZED)}
    FOR_CHANNELS(c) {
      dx[first + c] = x_inverse * (pinned(dy[first + c] * gamma[c]) - means.x - ${NORMALIZED} * means.y);
    }
  `,
}));

const alongColumns = columns('LayerNormalizationGradient columns', () => ({
  reads: { ...floats('x', 'dy'), moments: 'vec2<f32>' },
  writes: floats('dgamma', 'dbeta'),
  sums: 2,
  body: `
    var sums = vec2(0.0);
    FOR_ROWS(row) {
      let at = row * numbers.channels + c;
      sums += dy[at] * vec2((x[at] - moments[row].x) * moments[row].y, 1.0);
    }
    let sum = sum_of_column(lane, sums);
    if (isFirst) { dgamma[c] = sum.x; dbeta[c] = sum.y; }
  `,
}));

registerWebgpuKernel(
  LayerNormalizationGradient,
  ({ inputs, outputs, shapes, attributes, scratch, ...running }) => {
    const sizes = { rows: rowsOf(shapes.x), channels: shapes.gamma[0] };
    const bind = { ...inputs, ...outputs, moments: scratch(8 * sizes.rows) };
    alongRows(running, { ...sizes, bind, numbers: attributes });
    alongColumns(running, { ...sizes, bind });
  },
);
