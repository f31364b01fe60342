/** Resample in one draw. The tables are made on the host, and uploaded unchanged. */
import { Resample } from '../../plugin/ops/resample.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, PackedProgram, view3D } from './packed.js';
import type { Table } from './textures.js';

/**
 * Images [M, P, Q * C] computed from images x [N, H, W * C] by separable maps of rows and columns. A texel of `tables` for
 * every (term, position) holds the first sample, the number of samples, and the offset of their weights; `terms` has the range of
 * terms of each image of y, then an image of x for every term. `weights` are packed four per texel.
 */
const resampleProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'starts', 'terms', 'tables', 'weights'],
    uniforms: { height: 'int', width: 'int', rows: 'int', columns: 'int' },
    functions: `
      float weightAt(int index) {
        return texelAt(weights, weightsTexShape, index / 4)[index % 4];
      }

      // Two channels of a pixel.
      vec2 valueOf(int image, int q, int channel) {
        ivec2 range = ivec2(texelAt(starts, startsTexShape, image / rows).xy);
        int p = image % rows;
        vec2 sum = vec2(0);
        for (int term = range.x; term < range.y; term++) {
          ivec2 source = ivec2(texelAt(terms, termsTexShape, term).xy);
          int table = source.y * (rows + columns);
          ivec3 row = ivec3(texelAt(tables, tablesTexShape, table + p).xyz);
          ivec3 column = ivec3(texelAt(tables, tablesTexShape, table + rows + q).xyz);
          for (int r = 0; r < row.y; r++) {
            int line = source.x * height + row.x + r;
            vec2 ofRow = vec2(0);
            for (int s = 0; s < column.y; s++) {
              int at = column.x + s;
              vec4 texel = texelAt(x, xTexShape, texelIndex(line, at, channel, width, outShape[2]));
              ofRow += weightAt(column.z + s) * rowOf(texel, at);
            }
            sum += weightAt(row.z + r) * ofRow;
          }
        }
        return sum;
      }
    `,
    body: `
      vec2 below = at.y + 1 < columns ? valueOf(at.x, at.y + 1, at.z) : vec2(0);
      setOutput(vec4(valueOf(at.x, at.y, at.z), below));
    `,
  });

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
    const program = resampleProgram(as3D(shape));
    return [draw(program, [view3D(inputs.x), ...tables], [height, width, rows, positions - rows])];
  },
  { exact: true },
);

/** Makes a texture of `count` texels, at least one. */
function texels(count: number, numbersOf: (texel: number) => readonly number[]): Table {
  const values = new Float32Array(4 * Math.max(1, count));
  for (let i = 0; i < count; i++) values.set(numbersOf(i), 4 * i);
  return { values, shape: [2 * Math.max(1, count), 2] };
}
