/** Discretize in two draws, one for each output. */
import { Discretize } from '../../plugin/ops/discretize.js';
import { registerWebglKernel } from './kernels.js';
import { DiscretizeProgram } from './programs/discretize_program.js';

registerWebglKernel(Discretize, ({ inputs, outputs: [{ shape }], draw }) => {
  const { rawStep, stepBias, logA, inputGate, x } = inputs;
  const states = [logA.shape[1]];
  return [
    draw(new DiscretizeProgram(shape, 'decay'), [rawStep, stepBias, logA], states),
    draw(new DiscretizeProgram(shape, 'input'), [rawStep, stepBias, inputGate, x], states),
  ];
});
