/** The process in which dense.ts measures. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { fileSystem } from '../node/file_system.js';
import { linear } from '../plugin/index.js';
import { LoadedModel } from '../plugin/models/loaded_model.js';
import { openSource } from '../plugin/models/model_files.js';
import { convolutionSpec } from '../plugin/ops/convolution.spec.js';
import { linearSpec } from '../plugin/ops/linear.spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import { answerOnWasm } from './child_process.js';
import type { DenseJob, DenseTimes } from './dense.js';
import { sharesOf } from './prediction.js';
import { median, timeOf } from './timing.js';

const CONVOLUTIONS: readonly string[] = [
  convolutionSpec.op.name,
  ...[tf.FusedConv2D, tf.Conv2D, tf.Conv2DBackpropInput],
];
const PRODUCTS: readonly string[] = [linearSpec.op.name, tf._FusedMatMul, tf.BatchMatMul];
/** Rows, inputs and outputs of the product that determines the core's rate: a 3 x 3 convolution of 256 channels at 32 x 32. */
const PRODUCT = [1024, 2304, 256] as const;

const REPETITIONS = 15;

type Kernel = Awaited<ReturnType<typeof tf.profile>>['kernels'][number] & { ms: number };

async function measure({ model: path, height, width, rounds }: DenseJob): Promise<Omit<DenseTimes, 'name'>> {
  const rssBefore = process.memoryUsage.rss();
  const source = openSource('bench', fileSystem(path, { streamWeights: true }), {});
  const model = await LoadedModel.open(source);
  const weightBytes = Object.values(model.weights).reduce((sum, [{ size }]) => sum + 4 * size, 0);
  const image = tf.randomUniform<tf.Rank.R4>([1, height, width, 3], 0, 255, 'float32', 1);
  const predict = () => tf.dispose(model.execute({ image }));
  predict(); // packs weights
  predict();
  const peakBytes = process.resourceUsage().maxRSS * 1024 - rssBefore; // profiling takes more memory
  const found: { ms: number; convolutionRate: number; productRate: number; kernels: Kernel[] }[] = [];
  for (let round = 0; round < rounds; round++) {
    // The rate of a shared processor changes within seconds: products are measured before and after, and ratios within a round.
    const before = productRates();
    const ms = timeOf(predict);
    const kernels = await profile(model, image);
    const rates = [...before, ...productRates()];
    found.push({ ms, kernels, convolutionRate: convolutionRate(kernels), productRate: median(rates) });
  }
  const byRatio = found.sort((a, b) => a.convolutionRate / a.productRate - b.convolutionRate / b.productRate);
  const { kernels, ...rates } = byRatio[(rounds - 1) >> 1];
  const others = kernels.filter(
    (kernel) => multiplyAdds(kernel) === 0 && kernel.name !== treeScanSpec.op.name,
  );
  return {
    ...{ height, width, weightBytes, peakBytes, ...rates },
    ms: median(found.map((round) => round.ms)),
    multiplyAdds: sum(kernels.map(multiplyAdds)) / 1e9,
    otherShare: sum(others.map(({ ms }) => ms)) / sum(kernels.map(({ ms }) => ms)),
    kernels: sharesOf(kernels),
    activationBytes: largestTwo(kernels),
  };
}

/** GFLOP/s of the convolutions that are larger than 1 x 1. */
function convolutionRate(kernels: readonly Kernel[]): number {
  const wide = kernels.filter(
    ({ name, inputShapes: [, filter] }) => CONVOLUTIONS.includes(name) && filter && filter[0] > 1,
  );
  return (2 * sum(wide.map(multiplyAdds))) / sum(wide.map(({ ms }) => ms)) / 1e6;
}

async function profile(model: GraphModel, image: tf.Tensor): Promise<Kernel[]> {
  const { kernels, result } = await tf.profile(() => model.execute({ image }) as tf.Tensor);
  tf.dispose(result);
  const run = kernels.filter(({ name }) => tf.getKernel(name, tf.getBackend()));
  return Promise.all(run.map(async (kernel) => ({ ...kernel, ms: (await kernel.kernelTimeMs) as number })));
}

/** Multiply-adds of a convolution or a matrix product, from the shapes of its inputs and its output; 0 for other kernels. */
function multiplyAdds({ name, inputShapes: [x, weights], outputShapes: [y] }: Kernel): number {
  if (!x || !weights || !y) return 0;
  // In a transposed convolution, every input pixel is multiplied by the whole filter.
  if (name === tf.Conv2DBackpropInput) return (size(x) / weights[3]) * size(weights);
  if (CONVOLUTIONS.includes(name)) return (size(y) / weights[3]) * size(weights);
  return PRODUCTS.includes(name) ? size(y) * (x.at(-1) as number) : 0;
}

/** GFLOP/s of several runs. */
function productRates(): number[] {
  const [rows, inputs, outputs] = PRODUCT;
  const [x, weights] = [tf.randomUniform([rows, inputs]), tf.randomUniform([inputs, outputs])];
  const rates = Array.from({ length: REPETITIONS }, () => {
    return (2 * rows * inputs * outputs) / timeOf(() => linear(x, weights).dispose()) / 1e6;
  });
  tf.dispose([x, weights]);
  return rates;
}

function largestTwo(kernels: readonly Kernel[]): number {
  const bytes = kernels.flatMap(({ outputShapes }) => outputShapes.map((shape) => 4 * size(shape)));
  const [first = 0, second = 0] = bytes.sort((a, b) => b - a);
  return first + second;
}

const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

await answerOnWasm(measure);
