/** SelectiveScan on WebAssembly. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../plugin/kernels/sizes.js';
import { SelectiveScan } from '../plugin/ops/selective_scan.js';
import { LANES, SCAN_VECTORS } from './constants.js';
import type { WasmFunctions } from './functions.js';
import { type Cached, registerWasmKernel } from './kernels.js';

/** Bytes of scratch memory per token: vectors of four channels, and both gates. */
export const scanBytesAToken = (states: number): number => 4 * (SCAN_VECTORS * LANES + 2 * states);

interface Rates {
  readonly functions: Pick<WasmFunctions, 'selective_scan_rates'>;
  readonly inputs: { readonly logA: number };
  readonly tensors: { readonly logA: TensorInfo };
  readonly cached: Cached;
}

/**
 * Returns the address of -exp(logA), scaled for base-2 exponentials, which depends only on weights and is cached with them.
 */
export function ratesOf({ functions, inputs, tensors, cached }: Rates): number {
  const size = sizeOf(tensors.logA.shape);
  return cached([tensors.logA], 'rates', 4 * size, (address) =>
    functions.selective_scan_rates(inputs.logA, address, size),
  );
}

registerWasmKernel(SelectiveScan, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch } = args;
  const { step, deltaU, inputGate, outputGate, state } = inputs;
  const [batch, length, channels] = shapes.step;
  const [, states] = shapes.logA;
  functions.selective_scan(
    step,
    deltaU,
    ratesOf(args),
    inputGate,
    outputGate,
    state,
    outputs.y,
    outputs.nextState,
    scratch(scanBytesAToken(states) * length),
    batch,
    length,
    channels,
    states,
    attributes.inputScale,
  );
});
