/** GridSample in one draw. Its gradient is composed. */
import { GridSample } from '../../plugin/ops/grid_sample.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, view3D } from './packed.js';
import { GridSampleProgram } from './programs/grid_sample_program.js';

registerWebglKernel(
  GridSample,
  ({ inputs: { x, grid }, outputs: [{ shape }], attributes, draw, runOnHost }) => {
    const [, height, width] = x.shape;
    if (shape.includes(0)) return runOnHost(); // no texture holds it
    const program = new GridSampleProgram(as3D(shape), attributes);
    return [draw(program, [view3D(x), view3D(grid)], [height, width, shape[1]])];
  },
  { exact: true },
);
