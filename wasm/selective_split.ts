/** SelectiveSplit on WebAssembly. */
import { SelectiveSplit } from '../plugin/ops/selective_split.js';
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
