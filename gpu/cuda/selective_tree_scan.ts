/** SelectiveTreeScan: selective_tree_scan.cu. */
import { SelectiveTreeScan } from '../../plugin/ops/selective_tree_scan.js';
import { WARP } from './backend/kernels/constants.js';
import { Float32 } from './backend/launch.js';
import { SELECTIVE_CHANNELS, SELECTIVE_STATES } from './constants.js';
import { registerCudaKernel } from './kernels.js';

/** Bytes of a thread's sums per token. */
const SUMS_BYTES = 4 * SELECTIVE_STATES;
/** Maximum memory for sums; beyond it, fewer blocks run at a time. */
const MOST_BYTES = 2 ** 28;

registerCudaKernel(SelectiveTreeScan, ({ inputs, outputs: { y, nextState }, shapes, attributes, call }) => {
  const { step, deltaU, logA, inputGate, outputGate, order, parent } = inputs;
  const [batch, length, channels] = shapes.step;
  const tiles = Math.ceil(channels / SELECTIVE_CHANNELS);
  const blockBytes = SUMS_BYTES * WARP * length;
  const blocks = Math.min(batch * tiles, Math.max(1, Math.floor(MOST_BYTES / blockBytes)));
  call.launch(
    'selective_tree_scan',
    { blocks, threads: WARP },
    ...[step, deltaU, logA, inputGate, outputGate, order, parent, y, nextState],
    call.scratch(blocks * blockBytes),
    [batch, length, channels, shapes.logA[1]],
    tiles,
    new Float32(attributes.treeWeight),
  );
});
