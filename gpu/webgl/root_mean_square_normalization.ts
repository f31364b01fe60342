/** RootMeanSquareNormalization in two draws: the scale of every row, then the normalisation. */
import { RootMeanSquareNormalization } from '../../plugin/ops/root_mean_square_normalization.js';
import { registerWebglKernel } from './kernels.js';
import { as3D, PackedProgram, view3D } from './packed.js';

/**
 * 1 / sqrt(mean square + epsilon) of every row of x [batch, rows, C], as [batch, rows, 1]: one invocation per two rows.
 * @param shape [batch, rows, C] of x
 */
const inverseRootMeanSquareProgram = ([batch, rows]: readonly number[]): PackedProgram =>
  new PackedProgram([batch, rows, 1], {
    inputs: ['x'],
    uniforms: { channels: 'int', epsilon: 'float' },
    body: `
      int first = texelIndex(at.x, at.y, 0, outShape[1], channels);
      vec2 squares = vec2(0);
      for (int channel = 0; channel < channels; channel += 2) {
        vec4 texel = texelAt(x, xTexShape, first + channel / 2);
        squares += texel.xz * texel.xz;
        if (channel + 1 < channels) squares += texel.yw * texel.yw;
      }
      setOutput((1.0 / sqrt(squares / float(channels) + epsilon)).xxyy);
    `,
  });

/** x * scale * gamma over [batch, rows, C]. */
const scaleProgram = (shape: readonly number[]): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'scale', 'gamma'],
    body: `
      vec4 texel = texelAt(x, xTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
      vec4 ofRows = texelAt(scale, scaleTexShape, texelIndex(at.x, at.y, 0, outShape[1], 1));
      setOutput(texel * ofRows.xxzz * texelAt(gamma, gammaTexShape, at.z / 2).xyxy);
    `,
  });

registerWebglKernel(RootMeanSquareNormalization, ({ inputs: { x, gamma }, attributes, draw }) => {
  const shape = as3D(x.shape);
  const uniforms = [shape[2], attributes.epsilon];
  const scale = draw(inverseRootMeanSquareProgram(shape), [view3D(x)], uniforms);
  return [draw(scaleProgram(shape), [view3D(x), scale, gamma])];
});
