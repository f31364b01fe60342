/** Elementwise functions of two tensors with broadcasting: binary.cu. */
import { backend_util, type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { axesArgument, broadcastStrides, layoutOf, padded } from '../broadcast.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { MAX_AXES } from './constants.js';
import { gridOfFours, SUFFIXES } from './unary.js';

interface BinaryOp {
  /** The kernel's name, without the suffix of the element type. */
  readonly kernel: string;
  readonly dtypes: readonly DataType[];
  /** Dtype of the result; that of the inputs by default. */
  readonly result?: DataType;
  /** tfjs's names of the inputs. */
  readonly inputs?: readonly [string, string];
}

const NUMBERS = ['float32', 'int32'] as const;
const FLOATS = ['float32'] as const;
const BOOLEANS = ['bool'] as const;
const ALL = [...NUMBERS, ...BOOLEANS] as const;

const OPS: Readonly<Record<string, BinaryOp>> = {
  Add: { kernel: 'add', dtypes: NUMBERS },
  Sub: { kernel: 'sub', dtypes: NUMBERS },
  Multiply: { kernel: 'multiply', dtypes: NUMBERS },
  RealDiv: { kernel: 'real_div', dtypes: NUMBERS },
  FloorDiv: { kernel: 'floor_div', dtypes: NUMBERS, result: 'int32' },
  Maximum: { kernel: 'maximum', dtypes: NUMBERS },
  Minimum: { kernel: 'minimum', dtypes: NUMBERS },
  Mod: { kernel: 'mod', dtypes: NUMBERS },
  Pow: { kernel: 'pow', dtypes: NUMBERS },
  SquaredDifference: { kernel: 'squared_difference', dtypes: NUMBERS },
  Atan2: { kernel: 'atan2', dtypes: FLOATS },
  Prelu: { kernel: 'prelu', dtypes: FLOATS, inputs: ['x', 'alpha'] },
  EluGrad: { kernel: 'elu_grad', dtypes: FLOATS, inputs: ['dy', 'y'] },
  Equal: { kernel: 'equal', dtypes: ALL, result: 'bool' },
  NotEqual: { kernel: 'not_equal', dtypes: ALL, result: 'bool' },
  Greater: { kernel: 'greater', dtypes: ALL, result: 'bool' },
  GreaterEqual: { kernel: 'greater_equal', dtypes: ALL, result: 'bool' },
  Less: { kernel: 'less', dtypes: ALL, result: 'bool' },
  LessEqual: { kernel: 'less_equal', dtypes: ALL, result: 'bool' },
  LogicalAnd: { kernel: 'logical_and', dtypes: BOOLEANS, result: 'bool' },
  LogicalOr: { kernel: 'logical_or', dtypes: BOOLEANS, result: 'bool' },
};

for (const [op, { kernel, dtypes, result, inputs: names = ['a', 'b'] }] of Object.entries(OPS)) {
  registerBuiltInKernel(op, ({ inputs, call, onCpu }) => {
    const [a, b] = names.map((name) => inputs[name] as TensorInfo);
    if (a.dtype !== b.dtype || !dtypes.includes(a.dtype)) return onCpu();
    return binary(call, `${kernel}_${SUFFIXES[a.dtype]}`, a, b, result ?? a.dtype) ?? onCpu();
  });
}

/** y = f(a, b), in the shape that both broadcast to; undefined if that has too many axes for a kernel. */
export function binary(
  call: KernelCall,
  kernel: string,
  a: TensorInfo,
  b: TensorInfo,
  dtype: DataType = 'float32',
): DeviceTensor | undefined {
  const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const size = util.sizeFromShape(shape);
  const { extents, strides } = layoutOf(shape, [
    broadcastStrides(a.shape, shape),
    broadcastStrides(b.shape, shape),
  ]);
  if (extents.length > MAX_AXES) return undefined;
  const y = call.output(shape, dtype);
  const given = [call.input(a), call.input(b), y, size] as const;
  const dense = extents.length === 0 || (extents.length === 1 && strides.every(([stride]) => stride === 1));
  if (dense) call.launch(kernel, gridOfFours(size), ...given);
  else {
    const layout = [axesArgument(extents), ...strides.map(padded)];
    call.launch(`${kernel}_broadcast`, gridOf(size), ...given, ...layout);
  }
  return y;
}
