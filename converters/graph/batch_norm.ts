/** BatchNorm folded into the convolution before it: at inference the two are a single convolution. */
import type { NamedParameter, Parameters } from '../parameters.js';

/** Whether a BatchNorm after a convolution is folded into it, or kept as a layer for training. */
export type BatchNormHandling = 'fold' | 'keep';

/** nn.BatchNorm2d with running statistics. */
export interface BatchNorm {
  readonly module: Parameters;
  readonly epsilon: number;
}

/**
 * The weights [O, ...] of a convolution without a bias, scaled by gamma / sqrt(variance + epsilon), and the bias beta - mean *
 * scale. Computed in float64 when they are read.
 */
export function foldBatchNorm(
  weight: NamedParameter,
  { module, epsilon }: BatchNorm,
): { readonly weight: NamedParameter; readonly bias: NamedParameter } {
  const channels = weight.shape[0];
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((name) =>
    module.tensor(name, [channels]),
  );
  const scales = async () => {
    const [factors, variances] = await Promise.all([gamma.readFloat32(), variance.readFloat32()]);
    return Float64Array.from(factors, (factor, i) => factor / Math.sqrt(variances[i] + epsilon));
  };
  return {
    weight: {
      ...weight,
      computed: true,
      async readFloat32() {
        const [values, scale] = await Promise.all([weight.readFloat32(), scales()]);
        const size = values.length / channels;
        return values.map((value, i) => value * scale[Math.floor(i / size)]);
      },
    },
    bias: {
      ...beta,
      computed: true,
      async readFloat32() {
        const [shifts, means, scale] = await Promise.all([beta.readFloat32(), mean.readFloat32(), scales()]);
        return shifts.map((shift, i) => shift - means[i] * scale[i]);
      },
    },
  };
}
