/** Softmax over the last axis: softmax.cu. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { registerBuiltInKernel } from '../kernels.js';
import { THREADS } from './constants.js';
import { threadsOf } from './reductions.js';

registerBuiltInKernel('Softmax', ({ inputs, attrs, call, onCpu }) => {
  const { logits } = inputs as { logits: TensorInfo };
  const last = logits.shape.length - 1;
  const dim = attrs.dim as number;
  if (logits.dtype !== 'float32' || (dim !== last && dim !== -1)) return onCpu();
  if (last < 0) throw new Error('logits is a scalar, expected a last axis');
  const y = call.output(logits.shape, 'float32');
  const length = logits.shape[last];
  const rows = util.sizeFromShape(logits.shape.slice(0, last));
  if (rows * length === 0) return y;
  const sharing = threadsOf(rows, length);
  const grid = { blocks: Math.ceil((rows * sharing) / THREADS), threads: THREADS };
  call.launch('softmax_rows', grid, call.input(logits), y, rows, length, sharing);
  return y;
});
