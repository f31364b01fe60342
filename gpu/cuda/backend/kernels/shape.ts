/** Ops that move no data: the same values in another shape; and tensors filled with one number. */
import { type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkShape } from '../arguments.js';
import { elementBytes } from '../backend.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { gridOf } from '../launch.js';
import { SUFFIXES } from './unary.js';

registerBuiltInKernel('Identity', ({ inputs, call }) => {
  const { x } = inputs as { x: TensorInfo };
  return call.alias(x, x.shape);
});

registerBuiltInKernel('Reshape', ({ inputs, attrs, call }) => {
  const { x } = inputs as { x: TensorInfo };
  const size = util.sizeFromShape(x.shape);
  const shape = util.inferFromImplicitShape(attrs.shape as number[], size);
  util.assert(
    size === util.sizeFromShape(shape),
    () =>
      `The new shape (${shape}) has ${util.sizeFromShape(shape)} elements and the old shape (${x.shape}) has ${size}.`,
  );
  return call.alias(x, shape);
});

registerBuiltInKernel('ExpandDims', ({ inputs, attrs, call }) => {
  const { input } = inputs as { input: TensorInfo };
  const rank = input.shape.length;
  const dim = attrs.dim as number;
  util.assert(
    -(rank + 1) <= dim && dim <= rank,
    () => `Axis must be in the interval [${-(rank + 1)}, ${rank}]`,
  );
  const shape = [...input.shape];
  shape.splice(dim < 0 ? rank + dim + 1 : dim, 0, 1);
  return call.alias(input, shape);
});

registerBuiltInKernel('Fill', ({ attrs, call, onCpu }) => {
  const { shape, value, dtype } = attrs as object as {
    shape: number[];
    value: number | string;
    dtype?: DataType;
  };
  if (typeof value === 'string' || dtype === 'string' || dtype === 'complex64') return onCpu();
  return filled(call, shape, Number(value), dtype ?? 'float32');
});

for (const [op, value] of Object.entries({ ZerosLike: 0, OnesLike: 1 })) {
  registerBuiltInKernel(op, ({ inputs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    return SUFFIXES[x.dtype] ? filled(call, x.shape, value, x.dtype) : onCpu();
  });
}

registerBuiltInKernel('Complex', ({ inputs, call }) => {
  const { real, imag } = inputs as { real: TensorInfo; imag: TensorInfo };
  checkShape('imag', imag.shape, real.shape);
  // Copies: tfjs counts buffers by the tensors that it knows, and the parts are not among them.
  return call.backend.complex(call.keep(copyOf(call, real)), call.keep(copyOf(call, imag)));
});

for (const [op, part] of Object.entries({ Real: 'real', Imag: 'imag' } as const)) {
  registerBuiltInKernel(op, ({ inputs, call }) => {
    const { input } = inputs as { input: TensorInfo };
    return call.alias(call.backend.partsOf(input)[part], input.shape);
  });
}

function copyOf(call: KernelCall, x: TensorInfo): TensorInfo {
  const y = call.output(x.shape, x.dtype);
  call.copy(y.address, call.input(x).address, util.sizeFromShape(x.shape), x.dtype);
  return y;
}

/** Creates a tensor filled with one number. */
export function filled(
  call: KernelCall,
  shape: readonly number[],
  value: number,
  dtype: DataType,
): DeviceTensor {
  const y = call.output(shape, dtype);
  const size = util.sizeFromShape([...shape]);
  if (size === 0) return y;
  if (elementBytes(dtype) === 1) call.launch('fill_u8', gridOf(size), y, size, value);
  else call.device.fill(y.address, bitsOf(value, dtype), size);
  return y;
}

const word = new DataView(new ArrayBuffer(4));

/** Returns the 32 bits of a number. */
export function bitsOf(value: number, dtype: DataType): number {
  if (dtype === 'int32') return value >>> 0;
  word.setFloat32(0, value);
  return word.getUint32(0);
}
