/** SelectiveTreeScan on WebAssembly. */
import { SelectiveTreeScan } from '../plugin/ops/selective_tree_scan.js';
import { EDGE_BYTES } from './constants.js';
import { registerWasmKernel } from './kernels.js';
import { scanBytesAToken } from './selective_scan.js';

registerWasmKernel(SelectiveTreeScan, ({ inputs, outputs, shapes, attributes, functions, scratch }) => {
  const { step, deltaU, logA, inputGate, outputGate, order, parent } = inputs;
  const [batch, length, channels] = shapes.step;
  const [, states] = shapes.logA;
  functions.selective_tree_scan(
    step,
    deltaU,
    logA,
    inputGate,
    outputGate,
    order,
    parent,
    outputs.y,
    outputs.nextState,
    // Every token has at most one edge.
    scratch((scanBytesAToken(states) + EDGE_BYTES) * length),
    batch,
    length,
    channels,
    states,
    attributes.treeWeight,
  );
});
