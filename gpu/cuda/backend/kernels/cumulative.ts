/** Cumulative sums and products: scan.cu. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { THREADS } from './constants.js';
import { SUFFIXES } from './unary.js';

/** With more columns, or shorter ones, one thread per column keeps the device busy. */
const MANY_COLUMNS = 8192;
const SHORT_COLUMN = 32;

for (const [op, kernel] of [
  ['Cumsum', 'sum'],
  ['Cumprod', 'prod'],
]) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    const suffix = SUFFIXES[x.dtype];
    if (!suffix || x.shape.length === 0) return onCpu();
    const [axis] = util.parseAxisParam(attrs.axis as number, x.shape);
    const y = call.output(x.shape, suffix === 'f32' ? 'float32' : 'int32');
    const size = util.sizeFromShape(x.shape);
    if (size === 0) return y;
    const length = x.shape[axis];
    const inner = util.sizeFromShape(x.shape.slice(axis + 1));
    const columns = size / length;
    const given = [length, inner, attrs.exclusive ? 1 : 0, attrs.reverse ? 1 : 0] as const;
    const from = call.input(x);
    if (length < SHORT_COLUMN || (inner > 1 && columns >= MANY_COLUMNS)) {
      call.launch(`scan_columns_${kernel}_${suffix}`, gridOf(columns), from, y, columns, ...given);
    } else {
      const grid = { blocks: columns, threads: THREADS };
      call.launch(`scan_blocks_${kernel}_${suffix}`, grid, from, y, ...given);
    }
    return y;
  });
}
