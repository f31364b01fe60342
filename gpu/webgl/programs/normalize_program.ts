import { PACKED, PackedProgram } from '../packed.js';

/** GLSL: a texel of x standardised by the moments of MomentsProgram, then scaled and shifted by channel. */
export const NORMALIZE = `
  vec4 normalized(vec4 texel, vec4 moments, vec2 gamma, vec2 beta) {
    return (texel - moments.xxzz) * moments.yyww * gamma.xyxy + beta.xyxy;
  }
`;

/** (x - mean) * inverseDeviation * gamma + beta over [batch, rows, C], times a gate of that shape if there is one. */
export class NormalizeProgram extends PackedProgram {
  readonly variableNames: string[];
  readonly userCode: string;

  constructor(shape: number[], options: { gated?: boolean } = {}) {
    super(shape);
    const { gated = false } = options;
    this.variableNames = ['x', 'moments', 'gamma', 'beta', ...(gated ? ['gate'] : [])];
    this.userCode = `
      ${PACKED} ${NORMALIZE}
      void main() {
        ivec3 at = getOutputCoords();
        int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
        vec4 y = normalized(
          texelAt(x, xTexShape, index),
          texelAt(moments, momentsTexShape, texelIndex(at.x, at.y, 0, outShape[1], 2)),
          texelAt(gamma, gammaTexShape, at.z / 2).xy,
          texelAt(beta, betaTexShape, at.z / 2).xy
        );
        setOutput(${gated ? 'y * texelAt(gate, gateTexShape, index)' : 'y'});
      }
    `;
  }
}
