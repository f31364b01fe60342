/** SelectiveLayer on WebAssembly: runs the kernels of its parts one after another, without tfjs in between. */
import { SelectiveLayer } from '../plugin/ops/selective_layer.js';
import { registerWasmKernel } from './kernels.js';
import { multiply, weightsOf } from './matrix_product.js';
import { ratesOf, scanBytesAToken } from './selective_scan.js';

registerWasmKernel(SelectiveLayer, (args) => {
  const { inputs, outputs, shapes, attributes, functions, scratch, tensors } = args;
  const [batch, length, hidden] = shapes.x;
  const [channels, states] = shapes.logA;
  const [rank] = shapes.stepProjection;
  const rows = batch * length;
  const floats = (width: number) => scratch(4 * rows * width);

  const normalized = floats(hidden);
  const { epsilon } = attributes;
  functions.root_mean_square_normalization(inputs.x, inputs.gamma, normalized, rows, hidden, epsilon);

  const product = (x: number, name: keyof typeof tensors, y: number, bias = 0) =>
    multiply(args, { x, weights: weightsOf(inputs[name], tensors[name]), bias, y, rows });
  const projected = floats(2 * channels);
  product(normalized, 'inputProjection', projected, inputs.inputBias);
  const [u, gate] = [floats(channels), floats(channels)];
  functions.selective_layer_split(projected, u, gate, rows, channels);

  const convolved = floats(channels);
  const { filter, filterBias, past } = inputs;
  const [kernelSize] = shapes.filter;
  functions.causal_convolution(
    ...([u, filter, filterBias, past, convolved, outputs.nextPast] as const),
    ...([batch, length, channels, kernelSize] as const),
  );

  const selected = floats(rank + 2 * states);
  product(convolved, 'selection', selected);
  const [lowRank, inputGate, outputGate] = [floats(rank), floats(states), floats(states)];
  functions.selective_split(selected, lowRank, inputGate, outputGate, rows, rank, states);
  const dt = floats(channels);
  product(lowRank, 'stepProjection', dt);
  const [step, deltaU] = [floats(channels), floats(channels)];
  functions.selective_step(dt, inputs.stepBias, convolved, step, deltaU, rows, channels);

  const scanned = floats(channels);
  functions.selective_scan(
    ...([step, deltaU, ratesOf(args), inputGate, outputGate, inputs.state] as const),
    ...([scanned, outputs.nextState, scratch(scanBytesAToken(states) * length)] as const),
    ...([batch, length, channels, states, attributes.inputScale] as const),
  );
  functions.selective_layer_gate(scanned, convolved, inputs.skip, gate, rows, channels);
  product(scanned, 'outputProjection', outputs.y, inputs.outputBias);
  functions.selective_layer_add(inputs.x, outputs.y, rows * hidden);
});
