import { SelectiveSplit } from './selective_split.js';
import { defineSpec, type Values } from './spec/spec.js';

export const selectiveSplitSpec = defineSpec(SelectiveSplit, {
  formula: ({ inputs: { selected }, shapes, attributes: { states } }) => {
    const width = shapes.selected[2];
    const [rank, gates] = [width - 2 * states, width - states];
    return {
      step: columns(selected, width, 0, rank),
      inputGate: columns(selected, width, rank, gates),
      outputGate: columns(selected, width, gates, width),
    };
  },
  tolerance: { float32: 0, shader: 0, reason: 'copies' },
  samples: (random) =>
    [
      [7, 1],
      [6, 2],
      [3, 1],
      [37, 16],
    ].map(([width, states]) => ({
      what: `P = ${width}, N = ${states}`,
      inputs: { selected: random.tensor([2, 3, width]) },
      attributes: { states },
    })),
  faults: {
    'B and C are swapped': (correct) => (args) => {
      const { inputGate, outputGate } = args.outputs;
      correct({ ...args, outputs: { ...args.outputs, inputGate: outputGate, outputGate: inputGate } });
    },
  },
  perf: {
    // dt has C / 16 channels, and the scan has 2C.
    sample: ({ side, channels }, random) => ({
      inputs: { selected: random.tensor([1, side * side, Math.ceil(channels / 32) + 2]) },
    }),
  },
});

/** Returns the columns of a matrix of `width` columns, from `first` to `end` (exclusive). */
export function columns(values: Values, width: number, first: number, end: number): Float64Array {
  const count = end - first;
  return Float64Array.from(
    { length: (values.length / width) * count },
    (_, i) => values[Math.floor(i / count) * width + first + (i % count)],
  );
}
