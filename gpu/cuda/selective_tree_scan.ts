/** SelectiveTreeScan: selective_scan.cu. */
import { SelectiveTreeScan } from '../../plugin/ops/selective_tree_scan.js';
import { Float32 } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';
import { CHANNELS, THREADS } from './selective_scan_grid.js';

/** Bytes of the sums that a thread keeps of every token. */
const SUMS_BYTES = 16;
/** Most memory for sums: fewer blocks run at a time rather than more. */
const MOST_BYTES = 2 ** 28;

registerCudaKernel(SelectiveTreeScan, ({ inputs, outputs: { y, nextState }, shapes, attributes, call }) => {
  const { step, drive, logA, inputGate, outputGate, order, parent } = inputs;
  const [batch, length, channels] = shapes.step;
  const tiles = Math.ceil(channels / CHANNELS);
  const blockBytes = SUMS_BYTES * THREADS * length;
  const blocks = Math.min(batch * tiles, Math.max(1, Math.floor(MOST_BYTES / blockBytes)));
  call.launch(
    'selective_tree_scan',
    { blocks, threads: THREADS },
    ...[step, drive, logA, inputGate, outputGate, order, parent, y, nextState],
    call.scratch(blocks * blockBytes),
    [batch, length, channels, shapes.logA[1]],
    tiles,
    new Float32(attributes.treeWeight),
  );
});
