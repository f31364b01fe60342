import { PACKED, PackedProgram } from '../packed.js';

/** 1 / sqrt(mean square + epsilon) of every row of x [batch, rows, C], as [batch, rows, 1]: one invocation for two rows. */
export class InverseRootMeanSquareProgram extends PackedProgram {
  readonly variableNames = ['x'];
  override readonly customUniforms = [
    { name: 'channels', type: 'int' as const },
    { name: 'epsilon', type: 'float' as const },
  ];
  readonly userCode = `
    ${PACKED}
    void main() {
      ivec3 at = getOutputCoords();
      int first = texelIndex(at.x, at.y, 0, outShape[1], channels);
      vec2 squares = vec2(0);
      for (int channel = 0; channel < channels; channel += 2) {
        vec4 texel = texelAt(x, xTexShape, first + channel / 2);
        squares += texel.xz * texel.xz;
        if (channel + 1 < channels) squares += texel.yw * texel.yw;
      }
      setOutput((1.0 / sqrt(squares / float(channels) + epsilon)).xxyy);
    }
  `;

  /** @param shape [batch, rows, C] of x */
  constructor([batch, rows]: readonly number[]) {
    super([batch, rows, 1]);
  }
}

/** x * scale * gamma over [batch, rows, C]. */
export class ScaleProgram extends PackedProgram {
  readonly variableNames = ['x', 'scale', 'gamma'];
  readonly userCode = `
    ${PACKED}
    void main() {
      ivec3 at = getOutputCoords();
      vec4 texel = texelAt(x, xTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
      vec4 ofRows = texelAt(scale, scaleTexShape, texelIndex(at.x, at.y, 0, outShape[1], 1));
      setOutput(texel * ofRows.xxzz * texelAt(gamma, gammaTexShape, at.z / 2).xyxy);
    }
  `;
}
