/** SelectiveSplit and its gradient on WebAssembly. */
import { SelectiveJoin, SelectiveSplit } from '../plugin/ops/selective_split.js';
import { registerWasmKernel } from './kernels.js';

/** Of selective_split.cc. */
export interface SelectiveSplitFunctions {
  selective_split(
    selected: number,
    step: number,
    inputGate: number,
    outputGate: number,
    rows: number,
    rank: number,
    states: number,
  ): void;
}

registerWasmKernel<typeof SelectiveSplit, SelectiveSplitFunctions>(
  SelectiveSplit,
  ({ inputs: { selected }, outputs: { step, inputGate, outputGate }, shapes, attributes, functions }) => {
    const [batch, vertices, width] = shapes.selected;
    const { states } = attributes;
    const rank = width - 2 * states;
    functions.selective_split(selected, step, inputGate, outputGate, batch * vertices, rank, states);
  },
);

registerWasmKernel<typeof SelectiveJoin, { selective_join: SelectiveSplitFunctions['selective_split'] }>(
  SelectiveJoin,
  ({ inputs: { step, inputGate, outputGate }, outputs: { selected }, shapes, functions }) => {
    const [batch, vertices, rank] = shapes.step;
    const [, , states] = shapes.inputGate;
    functions.selective_join(step, inputGate, outputGate, selected, batch * vertices, rank, states);
  },
);
