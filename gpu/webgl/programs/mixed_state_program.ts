import { PACKED, PackedProgram } from '../packed.js';
import { NORMALIZE } from './normalize_program.js';

/** normalised state * outputGate + skip * x of a read-out, over [B, V, D], with outputGate [B, V, 1]. */
export class MixedStateProgram extends PackedProgram {
  readonly variableNames = ['state', 'moments', 'gamma', 'beta', 'outputGate', 'skip', 'x'];
  readonly userCode = `
    ${PACKED} ${NORMALIZE}
    void main() {
      ivec3 at = getOutputCoords();
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      vec4 read = normalized(
        texelAt(state, stateTexShape, index),
        texelAt(moments, momentsTexShape, texelIndex(at.x, at.y, 0, outShape[1], 2)),
        texelAt(gamma, gammaTexShape, at.z / 2).xy,
        texelAt(beta, betaTexShape, at.z / 2).xy
      );
      vec4 gate = texelAt(outputGate, outputGateTexShape, texelIndex(at.x, at.y, 0, outShape[1], 1));
      vec4 past = texelAt(skip, skipTexShape, at.z / 2).xyxy * texelAt(x, xTexShape, index);
      setOutput(read * gate.xxzz + past);
    }
  `;
}
