/** SelectiveTreeScan on WebAssembly. */
import { SelectiveTreeScan } from '../plugin/ops/selective_tree_scan.js';
import { registerWasmKernel } from './kernels.js';

/** Of selective_tree_scan.cc. */
interface Functions {
  selective_tree_scan(
    step: number,
    drive: number,
    logA: number,
    inputGate: number,
    outputGate: number,
    order: number,
    parent: number,
    y: number,
    nextState: number,
    scratch: number,
    batch: number,
    length: number,
    channels: number,
    states: number,
    treeWeight: number,
  ): void;
}

/** Bytes of scratch memory a token: seven times four channels, and an edge. */
const BYTES_A_TOKEN = 7 * 16 + 8;

registerWasmKernel<typeof SelectiveTreeScan, Functions>(
  SelectiveTreeScan,
  ({ inputs, outputs, shapes, attributes, functions, scratch }) => {
    const { step, drive, logA, inputGate, outputGate, order, parent } = inputs;
    const [batch, length, channels] = shapes.step;
    functions.selective_tree_scan(
      step,
      drive,
      logA,
      inputGate,
      outputGate,
      order,
      parent,
      outputs.y,
      outputs.nextState,
      scratch(BYTES_A_TOKEN * length),
      batch,
      length,
      channels,
      shapes.logA[1],
      attributes.treeWeight as number,
    );
  },
);
