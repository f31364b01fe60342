/** Normalize on WebAssembly. */
import { rowsOf } from '../plugin/kernels/sizes.js';
import { Normalize } from '../plugin/ops/normalize.js';
import { LANES } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(Normalize, ({ inputs, outputs: { y }, shapes, scratch, inParts }) => {
  const { x, mean, deviation } = inputs;
  const [channels] = shapes.mean;
  const parts = partsOf(rowsOf(shapes.x), 0.3 * channels, LANES);
  const bytes = 8 * LANES * channels;
  const space = scratch(bytes * parts.slots);
  inParts('normalize', parts, (row, count, slot) => [
    ...([x + 4 * row * channels, mean, deviation, y + 4 * row * channels] as const),
    ...([space + slot * bytes, count, channels] as const),
  ]);
});
