/** Tests fused graphs: the same values, and every requested node is still available. */
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { readFixture } from '../../testing/fixtures.js';
import { maxDifference } from '../../testing/measure.js';
import { loadConverted, toTensor } from '../../testing/models.js';
import { Convolution } from '../ops/convolution.js';
import type { OpDeclaration } from '../ops/declaration.js';
import { DepthwiseConvolution } from '../ops/depthwise_convolution.js';
import { GatedLinear, ResidualLinear } from '../ops/fused_linear.js';
import { Normalize } from '../ops/normalize.js';
import { QuantizedGatedLinear, QuantizedResidualLinear } from '../ops/quantized_linear.js';
import { SelectiveDiscretize } from '../ops/selective_discretize.js';
import { kernelOf, type OpSpec, specOf } from '../ops/spec/spec.js';
import '../ops/specs.js';
import { backendKernelOnHost, type HostKernel, registerBackendKernel } from '../ops/kernels.js';
import { TransposedConvolution } from '../ops/transposed_convolution.js';
import { LoadedModel } from './loaded_model.js';

tf.env().set('PROD', true);
const FUSED: readonly OpDeclaration[] = [
  Normalize,
  ResidualLinear,
  GatedLinear,
  Convolution,
  DepthwiseConvolution,
  SelectiveDiscretize,
];

/** Of models with 8-bit weights. */
const QUANTIZED: readonly OpDeclaration[] = [QuantizedResidualLinear, QuantizedGatedLinear];

/** Not part of GrootV. */
const OF_DETECTORS: readonly OpDeclaration[] = [TransposedConvolution];

/** Registers cpu kernels of the fused ops, so that cpu acts like a backend that has them. */
function registerFused(): void {
  for (const op of [...FUSED, ...QUANTIZED, ...OF_DETECTORS]) {
    const { formula } = specOf(op.name) as OpSpec;
    const kernel = kernelOf(formula) as HostKernel<OpDeclaration>;
    registerBackendKernel(op, 'cpu', backendKernelOnHost(op, kernel));
  }
}

const image = () =>
  toTensor(readFixture('grootv/grootv_tiny_module_expected.safetensors').tensor('rgb.32x32'));

async function load(file: string, quantize?: 'int8'): Promise<LoadedModel> {
  const { model, sink } = await loadConverted(file, { quantize });
  model.dispose();
  return LoadedModel.from('model.json', sink.artifacts());
}

async function kernelsOf(run: () => tf.Tensor | tf.Tensor[]): Promise<Set<string>> {
  const { kernelNames, result } = await tf.profile(() => run() as tf.Tensor);
  tf.dispose(result);
  return new Set(kernelNames);
}

t.test('a model on a backend with kernels of fused ops', async (t) => {
  await tf.setBackend('cpu');
  const [plain, fused] = [
    await load('grootv/grootv_tiny_module.pth'),
    await load('grootv/grootv_tiny_module.pth'),
  ];
  const input = image();
  const before = plain.execute({ image: input }, ['logits', 'blocks_1/decay']) as tf.Tensor[];
  t.notOk((await kernelsOf(() => plain.execute({ image: input }))).has('SelectiveDiscretize'), 'composed');
  registerFused();

  const { numTensors } = tf.memory();
  const after = fused.execute({ image: input }, ['logits', 'blocks_1/decay']) as tf.Tensor[];
  t.equal(tf.memory().numTensors, numTensors + 2);
  for (const [i, node] of ['logits', 'blocks_1/decay'].entries()) {
    t.ok(maxDifference(after[i].dataSync(), before[i].dataSync()) <= 1e-4, node);
  }

  const ran = await kernelsOf(() => fused.execute({ image: input }));
  for (const { name } of FUSED) t.ok(ran.has(name), name);
  for (const name of [
    'RealDiv',
    'Conv2D',
    'FusedConv2D',
    'DepthwiseConv2dNative',
    'Silu',
    'Discretize',
    'SelectiveSplit',
  ])
    t.notOk(ran.has(name), name);

  t.test('a node that would be gone', async (t) => {
    const [gate, logits] = fused.execute({ image: input }, ['blocks_0/gate', 'logits']) as tf.Tensor[];
    t.equal(gate.shape.length, 4);
    t.ok(maxDifference(logits.dataSync(), before[0].dataSync()) <= 1e-4);
  });

  t.test('trees that are fed', async (t) => {
    const names = ['blocks_0/order', 'blocks_0/parent'];
    const [order, parent] = plain.execute({ image: input }, names) as tf.Tensor[];
    const feeds = { image: input, [names[0]]: order, [names[1]]: parent };
    const logits = fused.execute(feeds, 'logits') as tf.Tensor;
    t.ok(maxDifference(logits.dataSync(), before[0].dataSync()) <= 1e-4);
  });

  t.test('weights that change', async (t) => {
    const bias = fused.weights['head.bias'][0];
    fused.weights['head.bias'][0] = tf.keep(tf.add(bias, 1));
    const logits = fused.execute({ image: input }) as tf.Tensor;
    const expected = before[0].dataSync().map((value) => value + 1);
    t.ok(maxDifference(logits.dataSync(), expected) <= 1e-4);
    for (let run = 0; run < 2; run++) {
      const again = (await fused.executeAsync({ image: input })) as tf.Tensor;
      t.ok(maxDifference(again.dataSync(), expected) <= 1e-4, 'and are kept');
    }
  });
});

t.test('a model with 8-bit weights', async (t) => {
  await tf.setBackend('cpu');
  registerFused();
  const file = 'grootv/grootv_nano_mnist.pth';
  const [float, fused] = [await load(file), await load(file, 'int8')];
  const input = image();
  const [expected, given] = [float, fused].map((model) => model.execute({ image: input }) as tf.Tensor);
  t.ok(maxDifference(given.dataSync(), expected.dataSync()) <= 0.3);
  const ran = await kernelsOf(() => fused.execute({ image: input }));
  for (const { name } of [...QUANTIZED, SelectiveDiscretize]) t.ok(ran.has(name), name);
  for (const name of ['Silu', 'Discretize', 'SelectiveSplit']) t.notOk(ran.has(name), name);
  float.dispose();
  fused.dispose();
  tf.dispose([input, expected, given]);
});

t.test('the mask head of a detector: tiles of pixels, with relu', async (t) => {
  await tf.setBackend('cpu');
  registerFused();
  const model = await load('dense/mask_rcnn_tiny.pth');
  const [, , inputs] = model.weights['roi_head.mask_head.convs.0.conv.weight'][0].shape;
  const features = tf.randomNormal([2, 3, 4, inputs as number], 0, 1, 'float32', 1);
  const run = (output: string) =>
    (model.execute({ mask_features: features }, output) as tf.Tensor).dataSync<'float32'>();
  const tiles = 'roi_head.mask_head.upsample/transposed_convolution';
  const apart = tf.tidy(() => tf.relu(tf.tensor1d(run(tiles))).dataSync<'float32'>());
  t.ok(maxDifference(run('mask_head/upsampled'), apart) <= 1e-5);
  const ran = await kernelsOf(() => model.execute({ mask_features: features }, 'mask_logits_of_classes'));
  t.ok(ran.has(TransposedConvolution.name));
  for (const name of ['Linear', 'Transpose', 'Relu']) t.notOk(ran.has(name), name);
  model.dispose();
  features.dispose();
});
