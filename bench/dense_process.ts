/** The process in which dense.ts measures. */
import '@tensorflow/tfjs-backend-wasm';
import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { fileSystem } from '../node/file_system.js';
import { linear } from '../plugin/index.js';
import { linearSpec } from '../plugin/ops/linear.spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import { ready } from '../wasm/index.js';
import { answer } from './child_process.js';
import type { DenseJob, DenseTimes } from './dense.js';
import { sharesOf } from './prediction.js';
import { median } from './timing.js';

const CONVOLUTIONS: readonly string[] = [tf.FusedConv2D, tf.Conv2D, tf.Conv2DBackpropInput];
const PRODUCTS: readonly string[] = [linearSpec.op.name, tf._FusedMatMul, tf.BatchMatMul];
/** Rows, inputs and outputs of the product that tells the core's rate: a 3 x 3 convolution of 256 channels at 32 x 32. */
const PRODUCT = [1024, 2304, 256] as const;

const PRODUCTS_A_ROUND = 15;

type Kernel = Awaited<ReturnType<typeof tf.profile>>['kernels'][number] & { ms: number };

async function measure({ model: path, height, width, rounds }: DenseJob): Promise<Omit<DenseTimes, 'name'>> {
  const before = process.memoryUsage.rss();
  const model = await loadGraphModel(fileSystem(path, { streamWeights: true }));
  const weightBytes = Object.values(model.weights).reduce((sum, [{ size }]) => sum + 4 * size, 0);
  const image = tf.randomUniform<tf.Rank.R4>([1, height, width, 3], 0, 255, 'float32', 1);
  const predict = () => tf.dispose(model.execute({ image }));
  predict(); // packs weights
  const ms: number[] = [];
  const productRates: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    predict();
    ms.push(performance.now() - start);
    for (let i = 0; i < PRODUCTS_A_ROUND; i++) productRates.push(productRate());
  }
  const peakBytes = process.resourceUsage().maxRSS * 1024 - before;
  const kernels = await profile(model, image);
  const whole = sum(kernels.map((kernel) => kernel.ms));
  const counted = kernels.map((kernel) => ({ ...kernel, multiplyAdds: multiplyAdds(kernel) }));
  const wide = counted.filter(({ name, multiplyAdds: count, outputShapes: [y], inputShapes }) => {
    const filter = CONVOLUTIONS.includes(name) ? inputShapes[1] : null;
    return count > 0 && y && filter && filter[0] > 1;
  });
  const others = counted.filter(
    ({ name, multiplyAdds: count }) => count === 0 && name !== treeScanSpec.op.name,
  );
  return {
    ...{ height, width, weightBytes, peakBytes },
    ms: median(ms),
    multiplyAdds: sum(counted.map((kernel) => kernel.multiplyAdds)) / 1e9,
    convolutionRate:
      (2 * sum(wide.map((kernel) => kernel.multiplyAdds))) / sum(wide.map((kernel) => kernel.ms)) / 1e6,
    productRate: median(productRates),
    otherShare: sum(others.map((kernel) => kernel.ms)) / whole,
    kernels: sharesOf(kernels),
    activationBytes: largestTwo(kernels),
  };
}

async function profile(model: GraphModel, image: tf.Tensor): Promise<Kernel[]> {
  const { kernels, result } = await tf.profile(() => model.execute({ image }) as tf.Tensor);
  tf.dispose(result);
  const run = kernels.filter(({ name }) => tf.getKernel(name, tf.getBackend()));
  return Promise.all(run.map(async (kernel) => ({ ...kernel, ms: (await kernel.kernelTimeMs) as number })));
}

/** Of a convolution or a matrix product, from the shapes of its inputs and of its output; else 0. */
function multiplyAdds({ name, inputShapes: [x, weights], outputShapes: [y] }: Kernel): number {
  if (!x || !weights || !y) return 0;
  // Of a transposed convolution, every input pixel meets the whole filter.
  if (name === tf.Conv2DBackpropInput) return (size(x) / weights[3]) * size(weights);
  if (CONVOLUTIONS.includes(name)) return (size(y) / weights[3]) * size(weights);
  return PRODUCTS.includes(name) ? size(y) * (x.at(-1) as number) : 0;
}

function productRate(): number {
  const [rows, inputs, outputs] = PRODUCT;
  const [x, weights] = [tf.randomUniform([rows, inputs]), tf.randomUniform([inputs, outputs])];
  const start = performance.now();
  const y = linear(x, weights);
  const ms = performance.now() - start;
  tf.dispose([x, weights, y]);
  return (2 * rows * inputs * outputs) / ms / 1e6;
}

function largestTwo(kernels: readonly Kernel[]): number {
  const bytes = kernels.flatMap(({ outputShapes }) => outputShapes.map((shape) => 4 * size(shape)));
  const [first = 0, second = 0] = bytes.sort((a, b) => b - a);
  return first + second;
}

const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

tf.enableProdMode();
await tf.setBackend('wasm');
await tf.ready();
await ready();
await answer(measure);
