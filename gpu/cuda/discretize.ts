/** Discretize: discretize.cu. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { Discretize } from '../../plugin/ops/discretize.js';
import { gridOf } from './backend/launch.js';
import { registerCudaKernel } from './kernels.js';

registerCudaKernel(Discretize, ({ inputs, outputs: { decay, input }, shapes, call }) => {
  const { dt, stepBias, logA, inputGate, x } = inputs;
  const [channels, states] = shapes.logA;
  const size = sizeOf(decay.shape);
  const given = [dt, stepBias, logA, inputGate, x, decay, input] as const;
  call.launch('discretize', gridOf(size), ...given, size, channels, states);
});
