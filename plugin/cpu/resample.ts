/** Resample in plain TypeScript. Sums in float64. */
import { registerHostKernel } from '../ops/kernels.js';
import { Resample } from '../ops/resample.js';

registerHostKernel(Resample, ({ inputs, outputs: { y }, shapes, attributes: { rows } }) => {
  const { x, starts, terms, ranges, weights } = inputs;
  const [, height, width, channels] = shapes.x;
  const [, positions, most] = shapes.weights;
  const columns = positions - rows;
  const sums = new Float64Array(channels);
  for (let m = 0, at = 0; m + 1 < starts.length; m++) {
    for (let p = 0; p < rows; p++) {
      for (let q = 0; q < columns; q++, at += channels) {
        sums.fill(0);
        for (let i = starts[m]; i < starts[m + 1]; i++) {
          const [image, table] = [terms[2 * i], terms[2 * i + 1]];
          const row = table * positions + p;
          const column = table * positions + rows + q;
          for (let r = 0; r < ranges[2 * row + 1]; r++) {
            const line = (image * height + ranges[2 * row] + r) * width + ranges[2 * column];
            for (let s = 0; s < ranges[2 * column + 1]; s++) {
              const weight = weights[row * most + r] * weights[column * most + s];
              for (let c = 0; c < channels; c++) sums[c] += weight * x[(line + s) * channels + c];
            }
          }
        }
        y.set(sums, at);
      }
    }
  }
});
