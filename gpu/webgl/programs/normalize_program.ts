import { PackedProgram } from '../packed.js';

/** GLSL: a texel of x standardised by the moments of momentsProgram, then scaled and shifted by channel. */
export const NORMALIZE = `
  vec4 normalized(vec4 texel, vec4 moments, vec2 gamma, vec2 beta) {
    return (texel - moments.xxzz) * moments.yyww * gamma.xyxy + beta.xyxy;
  }
`;

/** (x - mean) * inverseDeviation * gamma + beta over [batch, rows, C], times a gate of that shape if there is one. */
export const normalizeProgram = (shape: readonly number[], gated = false): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'moments', 'gamma', 'beta', ...(gated ? ['gate'] : [])],
    functions: NORMALIZE,
    body: `
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      vec4 y = normalized(
        texelAt(x, xTexShape, index),
        texelAt(moments, momentsTexShape, texelIndex(at.x, at.y, 0, outShape[1], 2)),
        texelAt(gamma, gammaTexShape, at.z / 2).xy,
        texelAt(beta, betaTexShape, at.z / 2).xy
      );
      setOutput(${gated ? 'y * texelAt(gate, gateTexShape, index)' : 'y'});
    `,
  });
