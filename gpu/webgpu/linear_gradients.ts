/** Gradients of linear layers: products with a transposed matrix, and sums of rows. */
import { rowsOf } from '../../plugin/kernels/sizes.js';
import { LinearInputGradient, LinearWeightGradient, RowSum, usedColumns } from '../../plugin/ops/linear.js';
import { columns } from './columns.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { columnsOf, PRODUCT_NUMBERS, type Tile, termsOf, tiledProduct, tilesFor } from './matrix_product.js';
import { programs } from './program.js';

/** WGSL that writes sums to a buffer. */
const finishAs = (name: string) => `
  fn finish(row: u32, column: u32, sums: vec4<f32>) {
    for (var j = 0u; j < min(4, numbers.outputs - column); j++) {
      ${name}[row * numbers.outputs + column + j] = sums[j];
    }
  }
`;

/** dy @ the transpose of the used columns of weights. */
const inputGradient = programs('LinearInputGradient', (tile: Tile) => ({
  reads: floats('dy', 'weights'),
  writes: floats('dx'),
  numbers: { ...PRODUCT_NUMBERS, columns: 'u32', first: 'u32' },
  code: tiledProduct(
    tile,
    `
      ${termsOf('dy', 'row * numbers.terms + term')}
      ${columnsOf('weights', '(column + j) * numbers.columns + numbers.first + term')}
      ${finishAs('dx')}
    `,
  ),
}));

registerWebgpuKernel(LinearInputGradient, ({ inputs, outputs, shapes, attributes, dispatch, limits }) => {
  const [inputChannels, columns] = shapes.weights;
  const [first, end] = usedColumns(columns, attributes);
  const rows = rowsOf(shapes.dy);
  const { tile, acrossAll, workgroups } = tilesFor(rows, inputChannels, limits);
  dispatch(inputGradient(tile), {
    bind: { ...inputs, ...outputs },
    numbers: { rows, terms: end - first, columns, first, outputs: inputChannels, acrossAll },
    workgroups,
  });
});

/** The transpose of x @ dy, written to the columns from `first` on; 0 in the others. */
const weightGradient = programs('LinearWeightGradient', (tile: Tile) => ({
  reads: floats('x', 'dy'),
  writes: floats('dweights'),
  numbers: { ...PRODUCT_NUMBERS, first: 'u32', end: 'u32' },
  code: tiledProduct(
    tile,
    `
      ${termsOf('x', 'term * numbers.rows + row')}
      fn b_at(term: u32, column: u32) -> vec4<f32> {
        var four = vec4(0.0);
        if (term >= numbers.terms) { return four; }
        for (var j = 0u; j < 4; j++) {
          if (column + j >= numbers.first && column + j < numbers.end) {
            four[j] = dy[term * (numbers.end - numbers.first) + column + j - numbers.first];
          }
        }
        return four;
      }
      ${finishAs('dweights')}
    `,
  ),
}));

registerWebgpuKernel(LinearWeightGradient, ({ inputs, outputs, shapes, attributes, dispatch, limits }) => {
  const { columns } = attributes;
  const [first, end] = usedColumns(columns, attributes);
  const inputChannels = shapes.x[shapes.x.length - 1];
  const { tile, acrossAll, workgroups } = tilesFor(inputChannels, columns, limits);
  dispatch(weightGradient(tile), {
    bind: { ...inputs, ...outputs },
    numbers: { rows: inputChannels, terms: rowsOf(shapes.x), outputs: columns, first, end, acrossAll },
    workgroups,
  });
});

const sumRows = columns('RowSum', () => ({
  reads: floats('x'),
  writes: floats('y'),
  body: `
    var sum = 0.0;
    FOR_ROWS(row) { sum += x[row * numbers.channels + c]; }
    let all = sum_of_column(lane, sum);
    if (isFirst) { y[c] = all; }
  `,
}));

registerWebgpuKernel(RowSum, ({ inputs, outputs, shapes, ...running }) => {
  const [channels] = outputs.y.shape;
  sumRows(running, { rows: rowsOf(shapes.x), channels, bind: { ...inputs, ...outputs } });
});
