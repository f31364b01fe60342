/** DepthwiseConvolution: one thread per four channels of a pixel, or per channel. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { DepthwiseConvolution } from '../../plugin/ops/depthwise_convolution.js';
import { elements } from './elements.js';
import { ACTIVATIONS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';

interface Options extends Record<string, string | boolean> {
  readonly activation: keyof typeof ACTIVATIONS;
  readonly inFours: boolean;
}

const convolve = elements('DepthwiseConvolution', ({ activation, inFours }: Options) => {
  const type = inFours ? 'vec4<f32>' : 'f32';
  const activated = inFours
    ? 'vec4(activation(sum.x), activation(sum.y), activation(sum.z), activation(sum.w))'
    : 'activation(sum)';
  return {
    reads: { x: type, weights: type },
    writes: { y: type },
    numbers: { height: 'i32', width: 'i32', channels: 'u32', rows: 'i32', columns: 'i32' },
    functions: ACTIVATIONS[activation],
    body: `
      let c = i % numbers.channels;
      let pixel = i / numbers.channels;
      let column = i32(pixel % u32(numbers.width)) - (numbers.columns - 1) / 2;
      let line = pixel / u32(numbers.width);
      let row = i32(line % u32(numbers.height)) - (numbers.rows - 1) / 2;
      let image = line / u32(numbers.height) * u32(numbers.height);
      var sum = ${type}();
      for (var p = max(0, -row); p < min(numbers.rows, numbers.height - row); p++) {
        let from_row = (image + u32(row + p)) * u32(numbers.width);
        for (var q = max(0, -column); q < min(numbers.columns, numbers.width - column); q++) {
          let weight = weights[u32(p * numbers.columns + q) * numbers.channels + c];
          sum += x[(from_row + u32(column + q)) * numbers.channels + c] * weight;
        }
      }
      y[i] = ${activated};
    `,
  };
});

registerWebgpuKernel(
  DepthwiseConvolution,
  ({ inputs, outputs, shapes, attributes: { activation }, ...running }) => {
    const [, height, width, all] = shapes.x;
    const [rows, columns] = shapes.filter;
    const inFours = all % 4 === 0;
    const channels = inFours ? all / 4 : all;
    convolve(running, {
      size: inFours ? sizeOf(shapes.x) / 4 : sizeOf(shapes.x),
      variant: { activation, inFours },
      bind: { x: inputs.x, weights: inputs.filter, ...outputs },
      numbers: { height, width, channels, rows, columns },
    });
  },
);
