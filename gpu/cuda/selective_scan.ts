/** SelectiveScan: selective_scan.cu. */
import { SelectiveScan } from '../../plugin/ops/selective_scan.js';
import { Float32 } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { CHANNELS, THREADS } from './selective_scan_grid.js';

registerCudaKernel(SelectiveScan, ({ inputs, outputs: { y, nextState }, shapes, attributes, call }) => {
  const { step, drive, logA, inputGate, outputGate, state = null } = inputs;
  const [batch, length, channels] = shapes.step;
  const tiles = Math.ceil(channels / CHANNELS);
  call.launch(
    'selective_scan',
    { blocks: batch * tiles, threads: THREADS },
    ...[step, drive, logA, inputGate, outputGate, state, y, nextState],
    [batch, length, channels, shapes.logA[1]],
    tiles,
    new Float32(attributes.inputScale),
  );
});
