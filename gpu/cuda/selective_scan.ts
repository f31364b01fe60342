/** SelectiveScan: selective_scan.cu. */
import { SelectiveScan } from '../../plugin/ops/selective_scan.js';
import { WARP } from './backend/kernels/constants.js';
import { Float32 } from './backend/launch.js';
import { SELECTIVE_CHANNELS } from './constants.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(SelectiveScan, ({ inputs, outputs: { y, nextState }, shapes, attributes, call }) => {
  const { step, deltaU, logA, inputGate, outputGate, state = null } = inputs;
  const [batch, length, channels] = shapes.step;
  const tiles = Math.ceil(channels / SELECTIVE_CHANNELS);
  call.launch(
    'selective_scan',
    { blocks: batch * tiles, threads: WARP },
    ...[step, deltaU, logA, inputGate, outputGate, state, y, nextState],
    [batch, length, channels, shapes.logA[1]],
    tiles,
    new Float32(attributes.inputScale),
  );
});
