import { PACKED, PackedProgram } from '../packed.js';
import { ACTIVATIONS } from './activation_functions.js';

/** An activation of every element of a tensor [batch, rows, columns]. */
export class ActivationProgram extends PackedProgram {
  readonly variableNames = ['x'];
  readonly userCode: string;

  constructor(shape: number[], activation: keyof typeof ACTIVATIONS) {
    super(shape);
    this.userCode = `
      ${PACKED} ${ACTIVATIONS[activation]}
      void main() {
        ivec3 at = getOutputCoords();
        vec4 texel = texelAt(x, xTexShape, texelIndex(at.x, at.y, at.z, outShape[1], outShape[2]));
        setOutput(vec4(activation(texel.x), activation(texel.y), activation(texel.z), activation(texel.w)));
      }
    `;
  }
}
