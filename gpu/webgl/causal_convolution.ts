/** CausalConvolution in two draws: the outputs, and the inputs that the next call needs. */

import type { TensorInfo } from '@tensorflow/tfjs-core';
import { CausalConvolution } from '../../plugin/ops/causal_convolution.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';

/** GLSL: two channels of the input of token t, which may precede x [B, length, channels]. */
function inputOfToken(hasPast: boolean): string {
  return `
    vec2 inputOf(int batch, int token, int channel, int channels) {
      if (token >= 0) {
        return rowOf(texelAt(x, xTexShape, texelIndex(batch, token, channel, length, channels)), token);
      }
      ${
        hasPast
          ? `int row = token + kernelSize - 1;
             return rowOf(texelAt(past, pastTexShape, texelIndex(batch, row, channel, kernelSize - 1, channels)), row);`
          : 'return vec2(0);'
      }
    }
  `;
}

const UNIFORMS = { length: 'int', kernelSize: 'int' } as const;

/** silu(bias + sum over k of filter[k] * x[t - K + 1 + k]) over [B, L, D]. */
const causalConvolutionProgram = (shape: readonly number[], hasPast: boolean): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'kernel', 'bias', ...(hasPast ? ['past'] : [])],
    uniforms: UNIFORMS,
    functions: `
      ${inputOfToken(hasPast)}
      vec2 outputOf(int batch, int token, int channel) {
        vec2 sum = texelAt(bias, biasTexShape, channel / 2).xy;
        for (int k = 0; k < kernelSize; k++) {
          int index = texelIndex(0, k, channel, kernelSize, outShape[2]);
          vec2 weight = rowOf(texelAt(kernel, kernelTexShape, index), k);
          sum += weight * inputOf(batch, token - kernelSize + 1 + k, channel, outShape[2]);
        }
        return sum / (1.0 + exp(-sum));
      }
    `,
    body: 'setOutput(vec4(outputOf(at.x, at.y, at.z), outputOf(at.x, at.y + 1, at.z)));',
  });

/** The last K - 1 inputs, [B, K-1, D]. */
const nextPastProgram = (shape: readonly number[], hasPast: boolean): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', ...(hasPast ? ['past'] : [])],
    uniforms: UNIFORMS,
    functions: inputOfToken(hasPast),
    body: `
      int token = length - kernelSize + 1 + at.y;
      setOutput(vec4(inputOf(at.x, token, at.z, outShape[2]), inputOf(at.x, token + 1, at.z, outShape[2])));
    `,
  });

registerWebglKernel(CausalConvolution, ({ inputs, outputs: [y, nextPast], draw }) => {
  const { x, filter, bias } = inputs;
  // With a kernel of one element, `past` is empty, and there are no empty textures.
  const past: TensorInfo[] = inputs.past && filter.shape[0] > 1 ? [inputs.past] : [];
  const sizes = [x.shape[1], filter.shape[0]];
  return [
    draw(causalConvolutionProgram(y.shape, past.length > 0), [x, filter, bias, ...past], sizes),
    draw(nextPastProgram(nextPast.shape, past.length > 0), [x, ...past], sizes),
  ];
});
