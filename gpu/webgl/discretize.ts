/** Discretize in two draws, one for each output. */
import { Discretize } from '../../plugin/ops/discretize.js';
import { registerWebglKernel } from './kernels.js';
import { PackedProgram } from './packed.js';
import { SOFTPLUS } from './programs/softplus.js';

/** Computes each output from dt, with the d, n and row of an element. */
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
function discretizeProgram(shape: readonly number[], output: keyof typeof OUTPUTS): PackedProgram {
  const { variables, value } = OUTPUTS[output];
  return new PackedProgram(shape, {
    inputs: ['dt', 'stepBias', ...variables],
    uniforms: { states: 'int' },
    functions: `
      ${SOFTPLUS}
      float valueAt(int batch, int row, int column) {
        int channels = outShape[2] / states;
        int d = column / states;
        int n = column % states;
        if (d >= channels) return 0.0;
        int index = texelIndex(batch, row, d, outShape[1], channels);
        float raw = elementOf(texelAt(dt, dtTexShape, index), row, d);
        float stepSize = softplus(raw + elementOf(texelAt(stepBias, stepBiasTexShape, d / 2), 0, d));
        return ${value};
      }
    `,
    body: `
      setOutput(vec4(
        valueAt(at.x, at.y, at.z),
        valueAt(at.x, at.y, at.z + 1),
        valueAt(at.x, at.y + 1, at.z),
        valueAt(at.x, at.y + 1, at.z + 1)
      ));
    `,
  });
}

registerWebglKernel(Discretize, ({ inputs, outputs: [{ shape }], draw }) => {
  const { dt, stepBias, logA, inputGate, x } = inputs;
  const states = [logA.shape[1]];
  return [
    draw(discretizeProgram(shape, 'decay'), [dt, stepBias, logA], states),
    draw(discretizeProgram(shape, 'input'), [dt, stepBias, inputGate, x], states),
  ];
});
