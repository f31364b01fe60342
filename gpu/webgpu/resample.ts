/** Resample: one thread per element of y, which adds its terms in order. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Resample } from '../../plugin/ops/resample.js';
import { elements, floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';

const resample = elements('Resample', () => ({
  reads: { ...floats('x', 'weights'), starts: 'i32', terms: 'i32', ranges: 'i32' },
  writes: floats('y'),
  numbers: { height: 'u32', width: 'u32', channels: 'u32', rows: 'u32', columns: 'u32', most: 'u32' },
  body: `
    let pixel = i / numbers.channels;
    let c = i % numbers.channels;
    let line = pixel / numbers.columns;
    let q = pixel % numbers.columns;
    let m = line / numbers.rows;
    let p = line % numbers.rows;
    var sum = 0.0;
    for (var term = u32(starts[m]); term < u32(starts[m + 1]); term++) {
      let table = u32(terms[2 * term + 1]) * (numbers.rows + numbers.columns);
      let row = table + p;
      let column = table + numbers.rows + q;
      let rowCount = u32(ranges[2 * row + 1]);
      let columnCount = u32(ranges[2 * column + 1]);
      let top = u32(terms[2 * term]) * numbers.height + u32(ranges[2 * row]);
      for (var r = 0u; r < rowCount; r++) {
        let left = ((top + r) * numbers.width + u32(ranges[2 * column])) * numbers.channels + c;
        var ofRow = 0.0;
        for (var s = 0u; s < columnCount; s++) {
          ofRow += weights[column * numbers.most + s] * x[left + s * numbers.channels];
        }
        sum += weights[row * numbers.most + r] * ofRow;
      }
    }
    y[i] = sum;
  `,
}));

registerWebgpuKernel(Resample, ({ inputs, outputs, shapes, attributes: { rows }, ...running }) => {
  const [, height, width, channels] = shapes.x;
  const [, positions, most] = shapes.weights;
  resample(running, {
    size: sizeOf(outputs.y.shape),
    bind: { ...inputs, ...outputs },
    numbers: { height, width, channels, rows, columns: positions - rows, most },
  });
});
