/** SelectiveSplit and SelectiveJoin: one thread per element that is split or joined. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { SelectiveJoin, SelectiveSplit } from '../../plugin/ops/selective_split.js';
import { elements, floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';

/** Copies an element between the whole and a part, in either direction. */
const copied = (copy: (part: string) => string) => `
  let row = i / numbers.all;
  let c = i % numbers.all;
  let n = c - numbers.rank; // wraps around below
  if (c < numbers.rank) {
    ${copy('step[row * numbers.rank + c]')}
  } else if (n < numbers.states) {
    ${copy('inputGate[row * numbers.states + n]')}
  } else {
    ${copy('outputGate[row * numbers.states + n - numbers.states]')}
  }
`;

const parts = floats('step', 'inputGate', 'outputGate');
const numbers = { all: 'u32', rank: 'u32', states: 'u32' } as const;

const split = elements('SelectiveSplit', () => ({
  reads: floats('selected'),
  writes: parts,
  numbers,
  body: copied((part) => `${part} = selected[i];`),
}));

const join = elements('SelectiveJoin', () => ({
  reads: parts,
  writes: floats('selected'),
  numbers,
  body: copied((part) => `selected[i] = ${part};`),
}));

registerWebgpuKernel(SelectiveSplit, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const { states } = attributes;
  const all = shapes.selected[2];
  const sizes = { all, states, rank: all - 2 * states };
  split(running, { size: sizeOf(shapes.selected), bind: { ...inputs, ...outputs }, numbers: sizes });
});

registerWebgpuKernel(SelectiveJoin, ({ inputs, outputs, shapes, ...running }) => {
  const [rank, states] = [shapes.step[2], shapes.inputGate[2]];
  const sizes = { all: rank + 2 * states, states, rank };
  join(running, { size: sizeOf(outputs.selected.shape), bind: { ...inputs, ...outputs }, numbers: sizes });
});
