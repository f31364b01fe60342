/** GridSample in one draw. Its gradient is composed. */
import { GridSample, type Padding } from '../../plugin/ops/grid_sample.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, PackedProgram, view3D } from './packed.js';

/** Values [N * P, Q, C] of maps x [N * H, W, C] at the positions grid [N * P, Q, 2], interpolated between four pixels. */
const gridSampleProgram = (
  shape: readonly number[],
  { padding, alignCorners }: { readonly padding: Padding; readonly alignCorners: boolean },
): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'grid'],
    uniforms: { height: 'int', width: 'int', rows: 'int' },
    functions: `
      // The position on an axis of so many pixels; negative where nothing is read.
      float positionOf(float coordinate, int size) {
        bool isNumber = (floatBitsToUint(coordinate) & 0x7fffffffu) <= 0x7f800000u;
        // No image is so large that these are on it.
        float end = clamp(isNumber ? coordinate : -1.0, -1e6, 1e6) + 1.0;
        float extent = float(size);
        float at = ${alignCorners ? '0.5 * end * (extent - 1.0)' : '0.5 * (end * extent - 1.0)'};
        ${
          padding === 'border'
            ? 'return clamp(at, 0.0, extent - 1.0);'
            : 'return at >= -1.0 && at < extent ? at : -2.0;'
        }
      }

      // Two channels of a position.
      vec2 valueOf(int line, int q, int channel) {
        vec2 given = rowOf(texelAt(grid, gridTexShape, texelIndex(line, q, 0, outShape[1], 2)), q);
        vec2 at = vec2(positionOf(given.x, width), positionOf(given.y, height));
        ivec2 first = ivec2(floor(at));
        vec2 beyond = at - vec2(first);
        int firstLine = line / rows * height;
        vec2 sum = vec2(0);
        for (int r = 0; r < 2; r++) {
          for (int s = 0; s < 2; s++) {
            ivec2 pixel = first + ivec2(s, r);
            if (pixel.x < 0 || pixel.x >= width || pixel.y < 0 || pixel.y >= height) continue;
            float weight = (r == 0 ? 1.0 - beyond.y : beyond.y) * (s == 0 ? 1.0 - beyond.x : beyond.x);
            vec4 texel = texelAt(x, xTexShape, texelIndex(firstLine + pixel.y, pixel.x, channel, width, outShape[2]));
            sum += weight * rowOf(texel, pixel.x);
          }
        }
        return sum;
      }
    `,
    body: `
      vec2 below = at.y + 1 < outShape[1] ? valueOf(at.x, at.y + 1, at.z) : vec2(0);
      setOutput(vec4(valueOf(at.x, at.y, at.z), below));
    `,
  });

registerWebglKernel(
  GridSample,
  ({ inputs: { x, grid }, outputs: [{ shape }], attributes, draw, runOnHost }) => {
    const [, height, width] = x.shape;
    if (shape.includes(0)) return runOnHost(); // there are no empty textures
    const program = gridSampleProgram(as3D(shape), attributes);
    return [draw(program, [view3D(x), view3D(grid)], [height, width, shape[1]])];
  },
  { exact: true },
);
