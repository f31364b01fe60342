/** SelectiveSplit and its gradient on WebAssembly. */
import { SelectiveJoin, SelectiveSplit } from '../plugin/ops/selective_split.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  SelectiveSplit,
  ({ inputs: { selected }, outputs: { step, inputGate, outputGate }, shapes, attributes, inParts }) => {
    const [batch, vertices, width] = shapes.selected;
    const { states } = attributes;
    const rank = width - 2 * states;
    inParts('selective_split', partsOf(batch * vertices, 0.5 * width), (row, count) => [
      ...([selected + 4 * row * width, step + 4 * row * rank] as const),
      ...([inputGate + 4 * row * states, outputGate + 4 * row * states, count, rank, states] as const),
    ]);
  },
);

registerWasmKernel(
  SelectiveJoin,
  ({ inputs: { step, inputGate, outputGate }, outputs: { selected }, shapes, functions }) => {
    const [batch, vertices, rank] = shapes.step;
    const [, , states] = shapes.inputGate;
    functions.selective_join(step, inputGate, outputGate, selected, batch * vertices, rank, states);
  },
);
