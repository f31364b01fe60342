/** Elementwise functions of one tensor: unary.cu. */
import { type NamedAttrMap, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { Float32, type Grid, gridOf } from '../launch.js';

/** Element types by the suffix of a kernel's name. */
export const SUFFIXES: Readonly<Partial<Record<string, 'f32' | 'i32' | 'bool'>>> = {
  float32: 'f32',
  int32: 'i32',
  bool: 'bool',
};

/** Functions of float32. Their kernels have the same names in lower case. */
const FLOAT_FUNCTIONS = [
  ...'Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Expm1 Floor Log Log1p'.split(' '),
  ...'Neg Reciprocal Relu Relu6 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Sqrt Square Tan Tanh'.split(
    ' ',
  ),
];
const INT_FUNCTIONS: ReadonlySet<string> = new Set(['Abs', 'Neg', 'Relu', 'Square', 'Sign']);
const PREDICATES = { IsNan: 'is_nan', IsInf: 'is_inf', IsFinite: 'is_finite' } as const;

for (const op of FLOAT_FUNCTIONS) {
  const name = op.toLowerCase();
  registerBuiltInKernel(op, ({ inputs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    if (x.dtype === 'float32') return unary(call, `${name}_f32`, x);
    if (x.dtype === 'int32' && INT_FUNCTIONS.has(op)) return unary(call, `${name}_i32`, x, 'int32');
    return onCpu();
  });
}

for (const [op, name] of Object.entries(PREDICATES)) {
  registerBuiltInKernel(op, ({ inputs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    return x.dtype === 'float32' ? unary(call, `${name}_f32`, x, 'bool') : onCpu();
  });
}

registerBuiltInKernel('LogicalNot', ({ inputs, call, onCpu }) => {
  const { x } = inputs as { x: TensorInfo };
  return x.dtype === 'bool' ? unary(call, 'logical_not_bool', x, 'bool') : onCpu();
});

/** Functions with constants: the kernel's name, and the attributes that hold the constants. */
const WITH_CONSTANTS = {
  ClipByValue: ['clip_f32', 'clipValueMin', 'clipValueMax'],
  LeakyRelu: ['leaky_relu_f32', 'alpha'],
  Step: ['step_f32', 'alpha'],
} as const;

for (const [op, [name, ...attributes]] of Object.entries(WITH_CONSTANTS)) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    if (x.dtype !== 'float32') return onCpu();
    const [alpha = 0, beta = 0] = attributes.map((attribute) => attrs[attribute] as number);
    return unaryWith(call, name, x, alpha, beta);
  });
}

/** Changes the element type of a tensor; of a complex one, the real part is taken. */
registerBuiltInKernel('Cast', ({ inputs, attrs, call, onCpu }) => {
  const { x } = inputs as { x: TensorInfo };
  const { dtype } = attrs as NamedAttrMap & { dtype: TensorInfo['dtype'] };
  const from = SUFFIXES[x.dtype];
  const to = SUFFIXES[dtype];
  if (!from || !to) return onCpu();
  return from === to ? call.alias(x, x.shape) : unary(call, `cast_${from}_${to}`, x, dtype);
});

/** Returns a grid with a thread for every four elements: see fours.h. */
export function gridOfFours(size: number): Grid {
  return gridOf(Math.ceil(size / 4));
}

/** y = f(x), of the shape of x. */
export function unary(
  call: KernelCall,
  kernel: string,
  x: TensorInfo,
  dtype: TensorInfo['dtype'] = 'float32',
): DeviceTensor {
  const size = util.sizeFromShape(x.shape);
  const y = call.output(x.shape, dtype);
  call.launch(kernel, gridOfFours(size), call.input(x), y, size);
  return y;
}

/** y = f(x; alpha, beta). */
export function unaryWith(
  call: KernelCall,
  kernel: string,
  x: TensorInfo,
  alpha: number,
  beta = 0,
): DeviceTensor {
  const size = util.sizeFromShape(x.shape);
  const y = call.output(x.shape, 'float32');
  call.launch(kernel, gridOfFours(size), call.input(x), y, size, new Float32(alpha), new Float32(beta));
  return y;
}
