import { PACKED, PackedProgram } from '../packed.js';
import { SOFTPLUS } from './softplus.js';

/** What is made of a step, with the d, n and row of an element: the two outputs. */
const OUTPUTS = {
  decay: {
    variables: ['logA'],
    value:
      'exp(-exp(elementOf(texelAt(logA, logATexShape, texelIndex(0, d, n, channels, states)), d, n)) * stepSize)',
  },
  input: {
    variables: ['inputGate', 'x'],
    value: `stepSize
      * elementOf(texelAt(inputGate, inputGateTexShape, texelIndex(batch, row, n, outShape[1], states)), row, n)
      * elementOf(texelAt(x, xTexShape, texelIndex(batch, row, d, outShape[1], channels)), row, d)`,
  },
};

/** One output of the discretisation, [B, V, D*N]: channel d*N + n belongs to channel d and state n. */
export class DiscretizeProgram extends PackedProgram {
  readonly variableNames: string[];
  override readonly customUniforms = [{ name: 'states', type: 'int' as const }];
  readonly userCode: string;

  constructor(shape: number[], output: keyof typeof OUTPUTS) {
    super(shape);
    const { variables, value } = OUTPUTS[output];
    this.variableNames = ['rawStep', 'stepBias', ...variables];
    this.userCode = `
      ${PACKED} ${SOFTPLUS}
      float valueAt(int batch, int row, int column) {
        int channels = outShape[2] / states;
        int d = column / states;
        int n = column % states;
        if (d >= channels) return 0.0;
        int index = texelIndex(batch, row, d, outShape[1], channels);
        float raw = elementOf(texelAt(rawStep, rawStepTexShape, index), row, d);
        float stepSize = softplus(raw + elementOf(texelAt(stepBias, stepBiasTexShape, d / 2), 0, d));
        return ${value};
      }

      void main() {
        ivec3 at = getOutputCoords();
        setOutput(vec4(
          valueAt(at.x, at.y, at.z),
          valueAt(at.x, at.y, at.z + 1),
          valueAt(at.x, at.y + 1, at.z),
          valueAt(at.x, at.y + 1, at.z + 1)
        ));
      }
    `;
  }
}
