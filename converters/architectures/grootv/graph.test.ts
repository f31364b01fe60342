/**
 * Converted GrootV models against the authors' code: logits, features, trees, modules, gradients. On one backend only; the
 * conformance suite checks all backends against these files.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { layerNormalization, stateReadout } from '../../../plugin/index.js';
import { onBackend } from '../../../testing/backends.js';
import { channelsLast, type Fixture, fixtureFiles, readFixture } from '../../../testing/fixtures.js';
import { maxDifference } from '../../../testing/measure.js';
import {
  loadConverted,
  loadSink,
  orderOf,
  pinnedTrees,
  toChannelsLast,
  toTensor,
} from '../../../testing/models.js';
import { GraphBuilder } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import { writeModel } from '../../graph/model_writer.js';
import { MemorySink } from '../../index.js';
import { type Parameter, Parameters } from '../../parameters.js';
import { treeStateSpaceModel } from './graph.js';
import { LevelScan } from './scans.js';

/** Maximum logit difference with the reference's trees, and with the model's own: see docs/numerics.md. */
const PINNED = 1e-4;
const OWN_TINY = 1e-3;
const OWN_NANO_MEDIAN = 1e-3;

const TINY = ['layerscale', 'module', 'legacy', 'fp16', 'bf16'];
const SIZES = ['32x32', '48x80'];

/** Maximum difference between a tensor, which it disposes, and a tensor of a fixture. */
function distance(result: tf.Tensor, wanted: { values: ArrayLike<number>; shape: number[] }): number {
  if (`${result.shape}` !== `${wanted.shape}`)
    throw new Error(`shape ${result.shape}, expected ${wanted.shape}`);
  const difference = maxDifference(result.dataSync(), wanted.values);
  result.dispose();
  return difference;
}

const BACKEND = 'wasm';

t.test('the tiny checkpoints', async (t) => {
  for (const name of TINY) {
    const expected = readFixture(
      `grootv/grootv_tiny_${name === 'legacy' ? 'module' : name}_expected.safetensors`,
    );
    await t.test(name, async (t) => {
      const { leaked } = await onBackend(BACKEND, async () => {
        const { model } = await loadConverted(`grootv/grootv_tiny_${name}.pth`);
        for (const size of SIZES) checkTiny(t, model, expected, size);
        model.dispose();
      });
      t.equal(leaked, 0, 'no tensor is left behind');
    });
  }
});

t.test('the trained model: 64 images, both sets of weights', async (t) => {
  const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { leaked } = await onBackend(BACKEND, async () => {
    for (const weights of ['model', 'model_ema'] as const) {
      const { model } = await loadConverted('grootv/grootv_nano_mnist.pth', { weights });
      const logits = expected.tensor(`logits_${weights}`);
      const images = tf.tidy(() => digits(expected.tensor('images_u8')));
      const own = tf.tidy(() => (model.predict(images) as tf.Tensor).dataSync());
      const differences = Array.from({ length: 64 }, (_, n) =>
        maxDifference(own.subarray(10 * n, 10 * n + 10), logits.values.subarray(10 * n, 10 * n + 10)),
      );
      const median = differences.sort((a, b) => a - b)[32];
      t.ok(median <= OWN_NANO_MEDIAN, `${weights}: median of the largest logit differences ${median}`);
      t.same(argmaxRows(own), argmaxRows(logits.values), `${weights}: every argmax`);
      images.dispose();
      model.dispose();
    }
  });
  t.equal(leaked, 0, 'no tensor is left behind');
});

t.test(`the trained model: four images with the reference's trees`, async (t) => {
  const expected = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { leaked } = await onBackend(BACKEND, async () => {
    const { model, inspection } = await loadConverted('grootv/grootv_nano_mnist.pth');
    tf.tidy(() => {
      const feeds = pinnedTrees(expected, 'trees.first4', inspection.depths);
      const normalized = toChannelsLast(expected.tensor('input_first4'));
      const logits = model.execute({ normalized, ...feeds }, 'logits') as tf.Tensor;
      const wanted = { shape: [4, 10], values: expected.tensor('logits_model').values.slice(0, 40) };
      const difference = distance(logits, wanted);
      t.ok(difference <= PINNED, `largest logit difference ${difference}`);
    });
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('the Tree_SSM modules, with everything in between', async (t) => {
  for (const file of fixtureFiles('grootv', /^treessm_/)) {
    await t.test(file, (t) => checkModule(t, readFixture(file)));
  }
});

/** Checks logits from `image` and from `normalized`, features and trees, with the model's own and with pinned trees. */
function checkTiny(t: Test, model: GraphModel, expected: Fixture, size: string): void {
  tf.tidy(() => {
    const image = toTensor(expected.tensor(`rgb.${size}`));
    const normalized = toChannelsLast(expected.tensor(`input.${size}`));
    const wanted = expected.tensor(`logits.${size}`);
    const own = distance(model.predict(image) as tf.Tensor, wanted);
    t.ok(own <= OWN_TINY, `${size}: own trees, ${own}`);

    const [, height, width] = image.shape as number[];
    const close = distance(model.execute({ image }, 'normalized') as tf.Tensor, {
      shape: [2, height, width, 3],
      values: normalized.dataSync(),
    });
    t.ok(close <= 1e-6, `${size}: normalized, ${close}`);

    const feeds = { normalized, ...pinnedTrees(expected, `trees.${size}`, [1, 1, 1, 1]) };
    const pinned = distance(model.execute(feeds, 'logits') as tf.Tensor, wanted);
    t.ok(pinned <= PINNED, `${size}: pinned trees, ${pinned}`);

    for (let block = 0; block < 4; block++) {
      const weights = model.execute(feeds, `blocks_${block}/edge_weights`) as tf.Tensor;
      // The reference's weights are exp of ours, a monotonic function.
      const difference = distance(
        tf.exp(weights),
        expected.tensor(`trees.${size}.levels.${block}.blocks.0.edge_weights`),
      );
      t.ok(difference <= 2e-6, `${size}: edge weights of block ${block}, ${difference}`);
    }
    const more = Object.fromEntries(
      Array.from({ length: 4 }, (_, i) => [`features_${i}`, `seq_out.${size}.${i}`]),
    );
    for (const [node, name] of Object.entries({ ...more, pooled: `pooled.${size}` })) {
      if (!expected.has(name)) continue;
      const difference = distance(model.execute(feeds, node) as tf.Tensor, expected.tensor(name));
      t.ok(difference <= PINNED, `${size}: ${node}, ${difference}`);
    }
  });
}

/** Runs the subgraph of one module, and compares every stage. */
async function checkModule(t: Test, fixture: Fixture): Promise<void> {
  const parameters = new Map<string, Parameter>();
  for (const name of fixture.names().filter((name) => name.startsWith('state.'))) {
    const { shape, values } = fixture.tensor(name);
    const readFloat32 = async () => Float32Array.from(values);
    parameters.set(name.replace('state.', 'module.TreeSSM.'), {
      shape,
      elements: values.length,
      readFloat32,
    });
  }
  const [, height, width, channels] = fixture.tensor('input').shape;
  const graph = new GraphBuilder();
  const input = graph.placeholder('input', [-1, -1, -1, channels]);
  const scan = new LevelScan(graph, 0, input);
  const ssm = new Parameters(parameters, 'module.TreeSSM');
  treeStateSpaceModel(new ImageLayers(graph), ssm, 'm', channels, input, scan);
  const sink = new MemorySink();
  await writeModel(graph, sink);
  const { leaked } = await onBackend(BACKEND, async () => {
    const model = await loadSink(sink);
    tf.tidy(() => {
      const { order, parent } = orderOf(fixture.tensor('parent'));
      const feeds = { input: toTensor(fixture.tensor('input')), 'm/order': order, 'm/parent': parent };
      const node = (name: string) => model.execute(feeds, name) as tf.Tensor;
      const activations = fixture.tensor('x_act');
      const [batch, inner] = activations.shape;
      const parameter = (name: string) => toTensor(fixture.tensor(`state.${name}`));
      // The graph fuses everything after the scan into one op. Its stages are checked with the ops that it fuses, and the fused
      // op itself, without the gate, with the last of them.
      const [state, x, outputGate, skip] = [node('m/scan'), node('m/x'), node('m/parts:2'), parameter('Ds')];
      const [stateGamma, stateBeta] = [parameter('h_norm.weight'), parameter('h_norm.bias')];
      const [outputGamma, outputBeta] = [parameter('out_norm.weight'), parameter('out_norm.bias')];
      const normalized = layerNormalization(state, stateGamma, stateBeta, { epsilon: 1e-5 });
      const core = tf.add(tf.mul(normalized, outputGate), tf.mul(x, skip));
      const readout = stateReadout({
        ...{ state, outputGate, x, skip, gate: tf.onesLike(x) },
        ...{ stateGamma, stateBeta, outputGamma, outputBeta },
      });
      const stages: [string, tf.Tensor, { shape: number[]; values: ArrayLike<number> }][] = [
        [
          'x_act',
          node('m/x'),
          channelsLast({ shape: [batch, inner, height * width], values: activations.values }),
        ],
        ['dts_raw', node('m/dt_proj'), channelsLast(fixture.tensor('dts_raw'))],
        ['Bs', node('m/parts:1'), channelsLast(fixture.tensor('Bs'))],
        ['Cs', node('m/parts:2'), channelsLast(fixture.tensor('Cs'))],
        ['deltaA', node('m/decay'), channelsLast(fixture.tensor('deltaA'))],
        ['feat_in', node('m/discretized:1'), channelsLast(fixture.tensor('feat_in'))],
        ['edge_weights', tf.exp(node('m/edge_weights')), fixture.tensor('edge_weights')],
        ['feature_out', node('m/scan'), channelsLast(fixture.tensor('feature_out'))],
        ['h_normed', normalized, fixture.tensor('h_normed')],
        ['y_core', core, channelsLast(fixture.tensor('y_core'))],
        ['out_normed', readout, fixture.tensor('out_normed')],
        ['output', node('m/out_proj'), fixture.tensor('output')],
      ];
      for (const [name, result, wanted] of stages) {
        const scale = Math.max(1, ...Array.from(wanted.values, Math.abs));
        const difference = distance(result, wanted);
        t.ok(difference <= 5e-6 * scale, `${name}: ${difference} of ${scale}`);
      }
    });
    model.dispose();
  });
  t.equal(leaked, 0);
}

t.test('gradients of a whole model in every parameter and in the image', async (t) => {
  const expected = readFixture('grootv/grootv_tiny_layerscale_expected.safetensors');
  const { leaked } = await onBackend(BACKEND, async () => {
    const { model } = await loadConverted('grootv/grootv_tiny_layerscale.pth');
    tf.tidy(() => {
      const feeds = pinnedTrees(expected, 'trees.32x32', [1, 1, 1, 1]);
      const normalized = toChannelsLast(expected.tensor('input.32x32'));
      const dy = toTensor(expected.tensor('grad_output.32x32'));
      const run = () => model.execute({ normalized, ...feeds }, 'logits') as tf.Tensor;
      const parameters = expected.names().filter((name) => name.startsWith('grad.'));
      const recorded = parameters.filter((name) => expected.tensor(name).values.some((value) => value !== 0));
      compareGradients(t, model, expected, recorded, run, dy, { 'grad_input.32x32': normalized });
      const zeros = parameters
        .filter((name) => !recorded.includes(name))
        .map((name) => name.slice('grad.'.length));
      if (zeros.length > 0) {
        t.comment(
          `${zeros.length} gradients are recorded as all zeros, which that of head.bias cannot be: compared with differences`,
        );
        compareWithDifferences(t, model, zeros, { normalized, ...feeds }, dy);
      }
    });
    model.dispose();
  });
  t.equal(leaked, 0);
});

t.test('gradients of the trained model through the cross-entropy of eight digits', async (t) => {
  const expected = readFixture('grootv/grootv_nano_mnist_gradients.safetensors');
  const all = readFixture('grootv/grootv_nano_mnist_expected.safetensors');
  const { leaked } = await onBackend(BACKEND, async () => {
    const { model } = await loadConverted('grootv/grootv_nano_mnist.pth');
    tf.tidy(() => {
      const images = expected.has('images_u8') ? expected.tensor('images_u8') : firstDigits(all, 8);
      const image = digits(images);
      const labels = tf.oneHot(tf.tensor1d(expected.tensor('labels').values as Int32Array, 'int32'), 10);
      const feeds: Record<string, tf.Tensor> = {};
      [0, 1, 2, 3, 4].forEach((index) => {
        const [level, block] = [
          [0, 0],
          [1, 0],
          [2, 0],
          [2, 1],
          [3, 0],
        ][index];
        const name = `trees.levels.${level}.blocks.${block}.parent`;
        if (!expected.has(name)) return;
        const { order, parent } = orderOf(expected.tensor(name));
        feeds[`blocks_${index}/order`] = order;
        feeds[`blocks_${index}/parent`] = parent;
      });
      const run = () => {
        const logits = model.execute({ image, ...feeds }, 'logits') as tf.Tensor;
        return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), labels), -1)));
      };
      const loss = expected.tensor('loss').values[0];
      t.ok(
        Math.abs(run().dataSync()[0] - loss) <= 1e-4 * Math.abs(loss) + 1e-6,
        `loss ${run().dataSync()[0]}, ${loss}`,
      );
      const parameters = expected.names().filter((name) => name.startsWith('grad.'));
      compareGradients(t, model, expected, parameters, run, undefined, {});
    });
    model.dispose();
  });
  t.equal(leaked, 0);
});

/**
 * The weights of a GraphModel are the tensors in `model.weights`, by node name: the PyTorch name of the parameter. The executor
 * reads these tensors directly, so tf.grads with respect to them differentiates the model.
 */
function compareGradients(
  t: Test,
  model: GraphModel,
  expected: Fixture,
  names: string[],
  run: () => tf.Tensor,
  dy: tf.Tensor | undefined,
  inputs: Record<string, tf.Tensor>,
): void {
  const parameters = names.map((name) => ({ name, weight: model.weights[name.slice('grad.'.length)]?.[0] }));
  const missing = parameters.filter(({ weight }) => !weight).map(({ name }) => name);
  t.same(missing, [], 'every parameter is a weight of the model');
  const xs = [...parameters.map(({ weight }) => weight), ...Object.values(inputs)];
  const grads = tf.grads(() => run())(xs, dy);
  [...parameters.map(({ name }) => name), ...Object.keys(inputs)].forEach((name, i) => {
    const wanted = expected.tensor(name);
    const scale = Math.max(...Array.from(wanted.values, Math.abs));
    const difference = maxDifference(asStored(grads[i], wanted.shape).dataSync(), wanted.values);
    t.ok(difference <= 1e-4 * scale + 1e-7, `${name}: ${difference} of ${scale}`);
  });
}

/** Moves every parameter along its gradient: the outputs weighted by dy must rise by the norm of the gradient per unit step. */
function compareWithDifferences(
  t: Test,
  model: GraphModel,
  names: string[],
  feeds: Record<string, tf.Tensor>,
  dy: tf.Tensor,
): void {
  const weigh = (more: Record<string, tf.Tensor>) =>
    tf.sum(tf.mul(model.execute({ ...feeds, ...more }, 'logits') as tf.Tensor, dy));
  const weights = names.map((name) => model.weights[name][0]);
  const grads = tf.grads(() => weigh({}))(weights);
  void tf.setBackend(BACKEND); // runs synchronously, since it has run before; the rest are forward passes
  names.forEach((name, i) => {
    const length = tf.norm(grads[i]).dataSync()[0];
    if (length === 0) {
      // A single vertex has no edge, and its decay is not used.
      const [moved, still] = [{ [name]: tf.add(weights[i], 0.1) }, {}].map(
        (feed) => weigh(feed).dataSync()[0],
      );
      t.equal(moved, still, `${name}: no gradient, no effect`);
      return;
    }
    const direction = tf.div(grads[i], length);
    const step = 0.004 / length; // the weighted sum moves by 0.004, far above rounding error
    const at = (by: number) => weigh({ [name]: tf.add(weights[i], tf.mul(direction, by)) }).dataSync()[0];
    const central = (h: number) => (at(h) - at(-h)) / (2 * h);
    const slope = (4 * central(step / 2) - central(step)) / 3; // Richardson extrapolation: removes the cubic term
    t.ok(Math.abs(slope / length - 1) <= 0.02, `${name}: slope ${slope}, gradient ${length}`);
  });
}

/** A gradient in PyTorch's layout: undoes the converter's transposition. */
function asStored(gradient: tf.Tensor, shape: number[]): tf.Tensor {
  if (gradient.rank === 4 && shape.length === 4) {
    const isImage =
      shape[1] === 3 && gradient.shape[3] === 3 && shape[2] === gradient.shape[1] && shape[2] > 3;
    if (isImage) return tf.transpose(gradient, [0, 3, 1, 2]);
    const depthwise = shape[1] === 1 && gradient.shape[3] === 1;
    return tf.transpose(gradient, depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);
  }
  const isLinear = gradient.rank === 2 && shape.filter((size) => size !== 1).length >= 2;
  return tf.reshape(isLinear ? tf.transpose(gradient) : gradient, shape);
}

/** The reference's preprocessing of MNIST: bilinear 28 -> 64 with half-pixel centres, three equal channels, 0..255. */
function digits({ shape, values }: { shape: number[]; values: ArrayLike<number> }): tf.Tensor4D {
  const images = tf.tensor4d(Float32Array.from(values), [shape[0], 28, 28, 1]);
  const resized = tf.image.resizeBilinear(images, [64, 64], false, true);
  return tf.tile(resized, [1, 1, 1, 3]);
}

function firstDigits(fixture: Fixture, count: number): { shape: number[]; values: ArrayLike<number> } {
  return { shape: [count, 28, 28], values: fixture.tensor('images_u8').values.slice(0, count * 28 * 28) };
}

function argmaxRows(values: ArrayLike<number>): number[] {
  const list = Array.from(values);
  return Array.from({ length: list.length / 10 }, (_, n) => {
    const row = list.slice(10 * n, 10 * n + 10);
    return row.indexOf(Math.max(...row));
  });
}
