/** Batch normalisation with given moments: batch_normalization.cu. */
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { showShape } from '../../../../plugin/ops/input_checks.js';
import { registerBuiltInKernel } from '../kernels.js';
import { Float32, gridOf } from '../launch.js';

/** tfjs's default. */
const EPSILON = 0.001;

interface Inputs {
  readonly x: TensorInfo;
  readonly mean: TensorInfo;
  readonly variance: TensorInfo;
  readonly offset?: TensorInfo;
  readonly scale?: TensorInfo;
}

registerBuiltInKernel('FusedBatchNorm', ({ inputs, attrs, call, onCpu }) => {
  const { x, mean, variance, offset, scale } = inputs as object as Inputs;
  for (const [name, other] of Object.entries({ variance, offset, scale })) {
    util.assert(
      !other || other.shape.length === mean.shape.length,
      () => `Batch normalization gradient requires mean and ${name} to have equal ranks.`,
    );
  }
  const given = [x, mean, variance, offset, scale];
  if (given.some((tensor) => tensor && tensor.dtype !== 'float32')) return onCpu();
  const y = call.output(x.shape, 'float32');
  const size = util.sizeFromShape(x.shape);
  // Each is repeated along the elements of x: a pointer and a length.
  for (const [name, tensor] of Object.entries({ mean, variance, offset, scale })) {
    if (!tensor || size % util.sizeFromShape(tensor.shape) === 0) continue;
    throw new Error(
      `${name} has shape ${showShape(tensor.shape)}, expected one that repeats along x ${showShape(x.shape)}`,
    );
  }
  const repeated = [mean, variance, offset, scale].flatMap((tensor) =>
    tensor ? [call.input(tensor), util.sizeFromShape(tensor.shape)] : [null, 0],
  );
  const epsilon = new Float32((attrs.varianceEpsilon as number | undefined) ?? EPSILON);
  call.launch('batch_normalization', gridOf(size), call.input(x), ...repeated, y, size, epsilon);
  return y;
});
