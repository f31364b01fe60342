/** SelectiveStep on WebAssembly. */
import { SelectiveStep } from '../plugin/ops/selective_step.js';
import { registerWasmKernel } from './kernels.js';
import { partsOf } from './threads.js';

registerWasmKernel(
  SelectiveStep,
  ({ inputs: { dt, stepBias, x }, outputs: { step, deltaU }, shapes, inParts }) => {
    const [batch, length, channels] = shapes.x;
    const at = (address: number, row: number) => address + 4 * row * channels;
    inParts('selective_step', partsOf(batch * length, 3 * channels), (row, count) => [
      ...([at(dt, row), stepBias, at(x, row), at(step, row), at(deltaU, row), count, channels] as const),
    ]);
  },
);
