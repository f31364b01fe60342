import { PackedProgram } from '../packed.js';

/**
 * Mean and 1 / sqrt(variance + epsilon) of every row of x [batch, rows, C], as [batch, rows, 2]: one invocation per two
 * rows. The variance is computed from the differences to the mean, in a second pass.
 * @param shape [batch, rows, C] of x
 */
export const momentsProgram = ([batch, rows]: readonly number[]): PackedProgram =>
  new PackedProgram([batch, rows, 2], {
    inputs: ['x'],
    uniforms: { channels: 'int', epsilon: 'float' },
    functions: `
      // Sums of both rows.
      vec2 rowSums(vec4 texel) {
        return vec2(texel.x + texel.y, texel.z + texel.w);
      }
    `,
    body: `
      ivec2 first = placeOf(xTexShape, texelIndex(at.x, at.y, 0, outShape[1], channels));
      int width = (xTexShape[1] + 1) / 2;
      int pairs = channels / 2;
      bool odd = channels % 2 == 1;

      vec2 total = vec2(0);
      ivec2 place = first;
      for (int i = 0; i < pairs; i++) {
        total += rowSums(texelFetch(x, place, 0));
        place = stepFrom(place, ivec2(1, 0), width);
      }
      vec4 last = odd ? texelFetch(x, place, 0) : vec4(0);
      vec2 mean = (total + last.xz) / float(channels);

      vec2 squares = vec2(0);
      place = first;
      for (int i = 0; i < pairs; i++) {
        vec4 difference = texelFetch(x, place, 0) - mean.xxyy;
        squares += rowSums(difference * difference);
        place = stepFrom(place, ivec2(1, 0), width);
      }
      if (odd) squares += (last.xz - mean) * (last.xz - mean);
      vec2 inverseDeviation = 1.0 / sqrt(squares / float(channels) + epsilon);
      setOutput(vec4(mean.x, inverseDeviation.x, mean.y, inverseDeviation.y));
    `,
  });
