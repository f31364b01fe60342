import { PACKED, PackedProgram } from '../packed.js';

/** GLSL: two channels of the input of token t, which may lie before x [B, length, channels]. */
function inputOfToken(hasPast: boolean): string {
  return `
    ${PACKED}
    vec2 inputOf(int batch, int token, int channel, int channels) {
      if (token >= 0) {
        return rowOf(texelAt(x, xTexShape, texelIndex(batch, token, channel, length, channels)), token);
      }
      ${
        hasPast
          ? `int row = token + taps - 1;
             return rowOf(texelAt(past, pastTexShape, texelIndex(batch, row, channel, taps - 1, channels)), row);`
          : 'return vec2(0);'
      }
    }
  `;
}

const UNIFORMS = [
  { name: 'length', type: 'int' as const },
  { name: 'taps', type: 'int' as const },
];

/** silu(bias + sum over k of filter[k] * x[t - K + 1 + k]) over [B, L, D]. */
export class CausalConvolutionProgram extends PackedProgram {
  readonly variableNames: string[];
  override readonly customUniforms = UNIFORMS;
  readonly userCode: string;

  constructor(shape: number[], hasPast: boolean) {
    super(shape);
    this.variableNames = ['x', 'kernel', 'bias', ...(hasPast ? ['past'] : [])];
    this.userCode = `
      ${inputOfToken(hasPast)}
      vec2 outputOf(int batch, int token, int channel) {
        vec2 sum = texelAt(bias, biasTexShape, channel / 2).xy;
        for (int k = 0; k < taps; k++) {
          int index = texelIndex(0, k, channel, taps, outShape[2]);
          vec2 tap = rowOf(texelAt(kernel, kernelTexShape, index), k);
          sum += tap * inputOf(batch, token - taps + 1 + k, channel, outShape[2]);
        }
        return sum / (1.0 + exp(-sum));
      }

      void main() {
        ivec3 at = getOutputCoords();
        setOutput(vec4(outputOf(at.x, at.y, at.z), outputOf(at.x, at.y + 1, at.z)));
      }
    `;
  }
}

/** The last K - 1 inputs, [B, K-1, D]. */
export class NextPastProgram extends PackedProgram {
  readonly variableNames: string[];
  override readonly customUniforms = UNIFORMS;
  readonly userCode: string;

  constructor(shape: number[], hasPast: boolean) {
    super(shape);
    this.variableNames = ['x', ...(hasPast ? ['past'] : [])];
    this.userCode = `
      ${inputOfToken(hasPast)}
      void main() {
        ivec3 at = getOutputCoords();
        int token = length - taps + 1 + at.y;
        setOutput(vec4(inputOf(at.x, token, at.z, outShape[2]), inputOf(at.x, token + 1, at.z, outShape[2])));
      }
    `;
  }
}
