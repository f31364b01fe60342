/** SelectiveScan on WebAssembly. */
import { SelectiveScan } from '../plugin/ops/selective_scan.js';
import { registerWasmKernel } from './kernels.js';

/** Of selective_scan.cc. */
interface Functions {
  selective_scan_rates(logA: number, to: number, size: number): void;
  selective_scan(
    step: number,
    drive: number,
    rate: number,
    inputGate: number,
    outputGate: number,
    state: number,
    y: number,
    nextState: number,
    scratch: number,
    batch: number,
    length: number,
    channels: number,
    states: number,
    inputScale: number,
  ): void;
}

/** Bytes of scratch memory a token: seven times four channels. */
const BYTES_A_TOKEN = 7 * 16;

registerWasmKernel<typeof SelectiveScan, Functions>(
  SelectiveScan,
  ({ inputs, outputs: { y, nextState }, shapes, attributes, functions, scratch, tensors, derived }) => {
    const { step, drive, logA, inputGate, outputGate, state } = inputs;
    const [batch, length, channels] = shapes.step;
    const [, states] = shapes.logA;
    const rate = derived(tensors.logA, 'rates', 4 * channels * states, (address) =>
      functions.selective_scan_rates(logA, address, channels * states),
    );
    functions.selective_scan(
      step,
      drive,
      rate,
      inputGate,
      outputGate,
      state,
      y,
      nextState,
      scratch(BYTES_A_TOKEN * length),
      batch,
      length,
      channels,
      states,
      attributes.inputScale as number,
    );
  },
);
