/** SelectiveDiscretize on WebAssembly. */
import { SelectiveDiscretize } from '../plugin/ops/selective_discretize.js';
import { DISCRETIZED_ROWS } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { packedFor, rowNanoseconds, weightsOf } from './matrix_product.js';
import { partsOf } from './threads.js';

registerWasmKernel(SelectiveDiscretize, (args) => {
  const { inputs, outputs, shapes, tensors, functions, scratch, inParts } = args;
  const { x, stepBias, logA } = inputs;
  const [batch, vertices, channels] = shapes.x;
  const [rank] = shapes.stepProjection;
  const states = shapes.logA[1];
  const rows = batch * vertices;
  const selection = packedFor(rows, args, weightsOf(inputs.selection, tensors.selection));
  const projection = packedFor(rows, args, weightsOf(inputs.stepProjection, tensors.stepProjection));
  const products = rowNanoseconds(channels, 2 * (rank + states));
  const parts = partsOf(rows, products + channels * (2 + states), DISCRETIZED_ROWS);
  const bytes = functions.selective_discretize_scratch(channels, states, rank);
  const space = scratch(parts.slots * bytes);
  const scanned = channels * states;
  inParts('selective_discretize', parts, (row, count, slot) => [
    ...([x + 4 * row * channels, selection, projection, stepBias, logA] as const),
    ...([outputs.decay + 4 * row * scanned, outputs.input + 4 * row * scanned] as const),
    ...([outputs.outputGate + 4 * row * states, space + slot * bytes] as const),
    ...([count, channels, states, rank] as const),
  ]);
});
