/** Discretize: a thread an element of a result, [rows, D, N]. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Discretize } from '../../plugin/ops/discretize.js';
import { elements, floats } from './elements.js';
import { SOFTPLUS } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';

const discretize = elements('Discretize', () => ({
  reads: floats('rawStep', 'stepBias', 'logA', 'inputGate', 'x'),
  writes: floats('decay', 'input'),
  numbers: { channels: 'u32', states: 'u32' },
  functions: SOFTPLUS,
  body: `
    let at = i / numbers.states;
    let n = i % numbers.states;
    let row = at / numbers.channels;
    let d = at % numbers.channels;
    let step = softplus(rawStep[at] + stepBias[d]);
    decay[i] = exp(-exp(logA[d * numbers.states + n]) * step);
    input[i] = step * inputGate[row * numbers.states + n] * x[at];
  `,
}));

registerWebgpuKernel(Discretize, ({ inputs, outputs, shapes, ...running }) => {
  const [channels, states] = shapes.logA;
  const size = sizeOf(shapes.x) * states;
  discretize(running, { size, bind: { ...inputs, ...outputs }, numbers: { channels, states } });
});
