import { PACKED, PackedProgram } from '../packed.js';
import { SOFTPLUS } from './softplus.js';

/** softplus(rawStep + stepBias) over [B, L, D]. */
export class StepProgram extends PackedProgram {
  readonly variableNames = ['rawStep', 'stepBias'];
  readonly userCode = `
    ${PACKED} ${SOFTPLUS}
    void main() {
      ivec3 at = getOutputCoords();
      vec4 raw = texelAt(rawStep, rawStepTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
      raw += texelAt(stepBias, stepBiasTexShape, at.z / 2).xyxy;
      setOutput(vec4(softplus(raw.x), softplus(raw.y), softplus(raw.z), softplus(raw.w)));
    }
  `;
}

/** step * x over [B, L, D]. */
export class DriveProgram extends PackedProgram {
  readonly variableNames = ['stepSize', 'x'];
  readonly userCode = `
    ${PACKED}
    void main() {
      ivec3 at = getOutputCoords();
      int index = texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]);
      setOutput(texelAt(stepSize, stepSizeTexShape, index) * texelAt(x, xTexShape, index));
    }
  `;
}
