/** Elements chosen by a condition or an index: select.cu. Also sequences, which need no device. */
import { type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkShape } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { bitsOf } from './shape.js';
import { SUFFIXES } from './unary.js';

registerBuiltInKernel('Select', ({ inputs, call, onCpu }) => {
  const { condition, t, e } = inputs as Record<'condition' | 't' | 'e', TensorInfo>;
  if (!SUFFIXES[t.dtype] || t.dtype !== e.dtype || condition.dtype !== 'bool') return onCpu();
  checkShape('e', e.shape, t.shape);
  checkShape('condition', condition.shape, t.shape.slice(0, condition.shape.length));
  const size = util.sizeFromShape(t.shape);
  const y = call.output(t.shape, t.dtype);
  if (size === 0) return y;
  // A condition of lower rank applies to all remaining axes.
  const inner = size / util.sizeFromShape(condition.shape);
  const given = [call.input(condition), call.input(t), call.input(e), y] as const;
  call.launch(`select_${elementBytes(t.dtype)}`, gridOf(size), ...given, size, inner);
  return y;
});

registerBuiltInKernel('OneHot', ({ inputs, attrs, call, onCpu }) => {
  const { indices } = inputs as { indices: TensorInfo };
  const { dtype, depth, onValue, offValue } = attrs as object as {
    dtype: DataType;
    depth: number;
    onValue: number;
    offValue: number;
  };
  if (indices.dtype !== 'int32' || !SUFFIXES[dtype]) return onCpu();
  const y = call.output([...indices.shape, depth], dtype);
  const size = util.sizeFromShape(y.shape);
  if (size === 0) return y;
  const [on, off] = [onValue, offValue].map((value) => (dtype === 'bool' ? value : bitsOf(value, dtype)));
  const kernel = `one_hot_${elementBytes(dtype)}`;
  call.launch(kernel, gridOf(size), call.input(indices), y, size, depth, on, off);
  return y;
});

/** Numbers that are known on the CPU are computed there, and copied once, when a kernel needs them. */
registerBuiltInKernel('Range', ({ onCpu }) => onCpu());
registerBuiltInKernel('LinSpace', ({ onCpu }) => onCpu());
