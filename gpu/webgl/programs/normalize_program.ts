import { PackedProgram } from '../packed.js';

/** GLSL: the texel at a place, standardised by the `moments` of momentsProgram, then scaled and shifted by channel. */
export const NORMALIZE = `
  vec4 normalized(vec4 texel, ivec3 at) {
    vec4 ofRows = texelAt(moments, momentsTexShape, texelIndex(at.x, at.y, 0, outShape[1], 2));
    vec4 scale = texelAt(gamma, gammaTexShape, at.z / 2).xyxy;
    return (texel - ofRows.xxzz) * ofRows.yyww * scale + texelAt(beta, betaTexShape, at.z / 2).xyxy;
  }
`;

/** (x - mean) * inverseDeviation * gamma + beta over [batch, rows, C], times a gate of that shape if there is one. */
export const normalizeProgram = (shape: readonly number[], gated = false): PackedProgram =>
  new PackedProgram(shape, {
    inputs: ['x', 'moments', 'gamma', 'beta', ...(gated ? ['gate'] : [])],
    functions: NORMALIZE,
    body: `
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      vec4 y = normalized(texelAt(x, xTexShape, index), at);
      setOutput(${gated ? 'y * texelAt(gate, gateTexShape, index)' : 'y'});
    `,
  });
