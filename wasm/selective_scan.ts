/** SelectiveScan on WebAssembly. */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { SelectiveScan } from '../plugin/ops/selective_scan.js';
import { LANES, SCAN_VECTORS } from './constants.js';
import type { WasmFunctions } from './functions.js';
import { registerWasmKernel, type WasmKernelArguments } from './kernels.js';

/** Bytes of scratch memory per token: vectors of four channels, and both gates. */
export const scanBytesAToken = (states: number): number => 4 * (SCAN_VECTORS * LANES + 2 * states);

/**
 * Returns the address of -exp(logA), scaled for base-2 exponentials, which depends only on weights and is cached with them.
 */
export function ratesOf({
  functions,
  inputs: { logA },
  tensors,
  cached,
}: Pick<
  WasmKernelArguments<typeof SelectiveScan, Pick<WasmFunctions, 'selective_scan_rates'>>,
  'functions' | 'cached'
> & { readonly inputs: { readonly logA: number }; readonly tensors: { readonly logA: TensorInfo } }): number {
  const size = tensors.logA.shape[0] * tensors.logA.shape[1];
  return cached([tensors.logA], 'rates', 4 * size, (address) =>
    functions.selective_scan_rates(logA, address, size),
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
