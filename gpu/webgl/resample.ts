/** Resample in one draw. The tables are made on the host, and go to the GPU as they are. */
import { Resample } from '../../plugin/ops/resample.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, view3D } from './packed.js';
import { ResampleProgram } from './programs/resample_program.js';
import type { Table } from './textures.js';

registerWebglKernel(
  Resample,
  ({ inputs, outputs: [{ shape }], attributes: { rows }, draw, upload, read }) => {
    const [, height, width] = inputs.x.shape;
    const [, positions, most] = inputs.weights.shape;
    const starts = read(inputs.starts);
    const [terms, ranges] = [read(inputs.terms), read(inputs.ranges)];
    const weights = read(inputs.weights) as ArrayLike<number>;
    const tables = [
      texels(starts.length - 1, (m) => [starts[m], starts[m + 1]]),
      texels(terms.length / 2, (term) => [terms[2 * term], terms[2 * term + 1]]),
      texels(ranges.length / 2, (i) => [ranges[2 * i], ranges[2 * i + 1], i * most]),
      texels(Math.ceil(weights.length / 4), (i) => [0, 1, 2, 3].map((k) => weights[4 * i + k] ?? 0)),
    ].map(upload);
    const program = new ResampleProgram(as3D(shape));
    return [draw(program, [view3D(inputs.x), ...tables], [height, width, rows, positions - rows])];
  },
  { exact: true },
);

/** A texture of `count` texels, one at least. */
function texels(count: number, numbersOf: (texel: number) => readonly number[]): Table {
  const values = new Float32Array(4 * Math.max(1, count));
  for (let i = 0; i < count; i++) values.set(numbersOf(i), 4 * i);
  return { values, shape: [2 * Math.max(1, count), 2] };
}
