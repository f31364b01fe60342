/**
 * Tests training of converted models: what is updated, what is kept, and what is rejected. For values see conformance/cases.
 */
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import type { ConvertOptions } from '../../converters/index.js';
import { onBackend } from '../../testing/backends.js';
import { loadConverted } from '../../testing/models.js';
import { GrootV } from '../index.js';
import { readLayout } from '../torch_layout.js';
import {
  AdamW,
  crossEntropy,
  GradientAccumulator,
  Momentum,
  MovingAverage,
  type Trainable,
  trainable,
} from './index.js';

const FILE = 'grootv/grootv_nano_mnist.pth';

/** Calls back on wasm with the nano model, a batch, and its loss; no tensor may be leaked. */
async function withModel(
  t: Test,
  body: (
    model: GrootV,
    image: tf.Tensor4D,
    loss: (logits: tf.Tensor) => tf.Scalar,
  ) => Promise<Trainable | undefined>,
  options: ConvertOptions = {},
): Promise<void> {
  const { leaked } = await onBackend('wasm', async () => {
    const { sink, model: plain } = await loadConverted(FILE, options);
    plain.dispose();
    const model = await GrootV.load(sink);
    const image = tf.randomUniform([2, 32, 32, 3], 0, 255, 'float32', 3) as tf.Tensor4D;
    const labels = tf.tensor1d([1, 2], 'int32');
    const trained = await body(model, image, (logits) => crossEntropy(logits, labels));
    trained?.dispose();
    model.dispose();
    tf.dispose([image, labels]);
  });
  t.equal(leaked, 0, 'no tensor is left behind');
}

const valuesOf = (trained: Trainable, name: string) =>
  Array.from(trained.parameters.get(name)?.variable.dataSync() ?? []);

t.test('a model learns a batch, and saves what it learnt', async (t) => {
  await withModel(t, async (model, image, loss) => {
    const trained = trainable(model);
    const optimizer = new AdamW({ learningRate: 1e-3, weightDecay: 0.05 });
    const losses: number[] = [];
    let tensors = 0;
    for (let step = 0; step < 4; step++) {
      const { value, logits, gradients } = trained.gradients(image, loss);
      optimizer.applyGradients(gradients);
      losses.push(value.dataSync()[0]);
      tf.dispose([value, logits, gradients]);
      if (step === 1) tensors = tf.memory().numTensors;
    }
    t.equal(tf.memory().numTensors, tensors, 'no tensor is left behind by a step');
    t.ok(losses[3] < losses[0], String(losses));
    let saved: tf.io.ModelArtifacts | undefined;
    await trained.save(
      tf.io.withSaveHandler(async (artifacts) => {
        saved = artifacts;
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      }),
    );
    const again = await GrootV.load(tf.io.fromMemory(saved as tf.io.ModelArtifacts));
    const [before, after] = [model, again].map((each) => tf.tidy(() => each.logits(image).dataSync()));
    t.same(after, before);
    again.dispose();
    optimizer.dispose();
    return trained;
  });
});

t.test('minimize of any optimiser', async (t) => {
  await withModel(t, async (model, image, loss) => {
    const trained = trainable(model, { parameters: ['head'] });
    const optimizer = tf.train.sgd(0.1);
    const costs = [0, 1].map(() =>
      optimizer.minimize(() => loss(trained.forward(image)), true, [...trained.variables]),
    );
    const [first, second] = costs.map((cost) => (cost as tf.Scalar).dataSync()[0]);
    t.ok(second < first, `${first}, ${second}`);
    tf.dispose(costs as tf.Scalar[]);
    optimizer.dispose();
    return trained;
  });
});

t.test('computed in parts the gradients are the same, and so are the running statistics', async (t) => {
  await withModel(t, async (model, image, loss) => {
    const trained = trainable(model, { dropPath: 0.5, dropout: 0.2, seed: 3 });
    const state = trained.randomState();
    const running = ['running_mean', 'running_var'].map((name) => `conv_head.1.0.${name}`);
    const start = running.map((name) => valuesOf(trained, name));
    const pass = (checkpointing: boolean) => {
      trained.restoreRandom(state);
      running.forEach((name, i) => {
        tf.tidy(() => trained.parameters.get(name)?.variable.assign(tf.tensor(start[i])) as undefined);
      });
      const { value, logits, gradients } = trained.gradients(image, loss, { checkpointing });
      const values = Object.entries({ value, logits, ...gradients }).map(
        ([name, tensor]): [string, number[]] => [name, Array.from(tensor.dataSync())],
      );
      tf.dispose([value, logits, gradients]);
      return new Map([
        ...values,
        ...running.map((name): [string, number[]] => [name, valuesOf(trained, name)]),
      ]);
    };
    const [whole, parts] = [false, true].map(pass);
    t.equal(whole.size, trained.parameters.size + 2);
    t.same(parts, whole);
    t.notSame(whole.get(running[0]), start[0]);
    return trained;
  });
});

for (const choice of [{ scan: 'raster' }, { scan: 'cross' }, { trees: 'stage' }] as const) {
  const [what] = Object.values(choice);
  t.test(`gradients, ${what}`, async (t) => {
    await withModel(
      t,
      async (model, image, loss) => {
        const trained = trainable(model, { dropPath: 0, dropout: 0 });
        const [whole, parts] = [false, true].map((checkpointing) => {
          const { value, logits, gradients } = trained.gradients(image, loss, { checkpointing });
          const values = Object.entries(gradients).map(
            ([name, of]) => [name, of.dataSync().slice()] as const,
          );
          tf.dispose([value, logits, gradients]);
          return new Map(values);
        });
        for (const [name, { buffer }] of whole) {
          t.ok(
            Buffer.from(buffer).equals(Buffer.from(parts.get(name)?.buffer as ArrayBuffer)),
            `${name}, in parts`,
          );
        }
        if (what === 'stage') return trained; // a step may change trees
        const name = 'levels.1.blocks.0.TreeSSM.in_proj.weight';
        const variable = trained.parameters.get(name)?.variable as tf.Variable;
        const gradient = tf.tensor(whole.get(name) as Float32Array, variable.shape);
        const [start, length] = [variable.clone(), tf.tidy(() => tf.norm(gradient).dataSync()[0])];
        const at = (by: number) =>
          tf.tidy(() => {
            variable.assign(tf.add(start, tf.mul(gradient, by / length)));
            return loss(trained.forward(image)).dataSync()[0];
          });
        const central = (step: number) => (at(step) - at(-step)) / (2 * step);
        // Two images give steep batch statistics. Richardson extrapolation, which removes the cubic term.
        const slope = (4 * central(1e-3) - central(2e-3)) / 3;
        t.ok(Math.abs(slope / length - 1) < 0.02, `slope ${slope}, gradient ${length}`);
        tf.dispose([start, gradient]);
        return trained;
      },
      choice,
    );
  });
}

t.test('what is frozen stays, a frozen BatchNorm with its statistics', async (t) => {
  await withModel(t, async (model, image, loss) => {
    const trained = trainable(model, { freeze: [/^(patch_embed|levels)/, 'conv_head.1.0'] });
    t.same(
      trained.variables.map(({ name }) => name),
      ['conv_head.0.weight', 'head.weight', 'head.bias'],
    );
    const watched = ['levels.3.norm.0.weight', 'conv_head.1.0.running_mean', 'conv_head.1.0.weight'];
    const before = watched.map((name) => valuesOf(trained, name));
    const optimizer = new Momentum({ learningRate: 0.1, momentum: 0.9 });
    const { value, logits, gradients } = trained.gradients(image, loss);
    optimizer.applyGradients(gradients);
    tf.dispose([value, logits, gradients]);
    optimizer.dispose();
    t.same(
      watched.map((name) => valuesOf(trained, name)),
      before,
    );
    return trained;
  });
});

t.test('a new head', async (t) => {
  await withModel(t, async (model, image) => {
    const trained = trainable(model, { newHead: ['circle', 'cross', 'line'] });
    const weights = valuesOf(trained, 'head.weight');
    const deviation = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length);
    t.ok(Math.abs(deviation - 0.02) < 2e-3, String(deviation));
    t.same(valuesOf(trained, 'head.bias'), [0, 0, 0]);
    const [[best]] = await model.classify(image, { prepare: false });
    t.ok(['circle', 'cross', 'line'].includes(best.label), best.label);
    t.equal(model.metadata.architecture.classes, 3);
    t.equal(model.metadata.architecture.parameters, 508_154 - 7 * 193);
    return trained;
  });
});

t.test('an optimiser continues from its state', async (t) => {
  await withModel(t, async (model, image, loss) => {
    const trained = trainable(model, { parameters: ['head'], freeze: ['conv_head'] });
    const { value, logits, gradients } = trained.gradients(image, loss);
    const start = valuesOf(trained, 'head.weight');
    const run = async (stopAt: number) => {
      const weights = trained.parameters.get('head.weight');
      tf.tidy(() => weights?.variable.assign(tf.tensor(start, weights.variable.shape)) as undefined);
      let optimizer = new AdamW({ learningRate: 1e-2 });
      for (let step = 0; step < 4; step++) {
        if (step === stopAt) {
          const state = await optimizer.getWeights();
          const next = new AdamW({ learningRate: 1e-2 });
          await next.setWeights(state);
          optimizer.dispose();
          state[0].tensor.dispose();
          optimizer = next;
        }
        optimizer.applyGradients(gradients);
      }
      optimizer.dispose();
      return valuesOf(trained, 'head.weight');
    };
    const uninterrupted = await run(-1);
    t.same(await run(2), uninterrupted);
    t.not(`${uninterrupted}`, `${start}`);
    tf.dispose([value, logits, gradients]);
    return trained;
  });
});

t.test('averages of parameters, and sums of gradients', async (t) => {
  await withModel(t, async (model) => {
    const trained = trainable(model, { parameters: ['head.bias'] });
    const { variable } = trained.parameters.get('head.bias') ?? {};
    const [before] = valuesOf(trained, 'head.bias');
    const average = new MovingAverage(trained, 0.75);
    tf.tidy(() => variable?.assign(tf.add(variable, 1)) as undefined);
    average.update();
    average.swap();
    t.ok(Math.abs(valuesOf(trained, 'head.bias')[0] - before - 0.25) < 1e-6, 'the average');
    t.throws(() => average.update(), /swapped in/);
    average.swap();
    t.ok(Math.abs(valuesOf(trained, 'head.bias')[0] - before - 1) < 1e-6, 'and back');
    average.dispose();
    const sums = new GradientAccumulator();
    const gradient = tf.tensor1d([2, 4]);
    sums.add({ bias: gradient }, 0.5);
    sums.add({ bias: gradient });
    const taken = sums.take();
    t.same(Array.from(taken.bias.dataSync()), [3, 6]);
    t.same(sums.take(), {});
    tf.dispose([gradient, taken.bias]);
    return trained;
  });
});

t.test('what cannot be trained says why', async (t) => {
  await withModel(t, async (model) => {
    t.throws(
      () => trainable(model, { freeze: ['levls'] }),
      /freeze names "levls", expected a parameter or module/,
    );
    t.throws(() => trainable(model, { parameters: () => false }), /no parameter is left/);
    t.throws(() => trainable(model, { dropPath: 1 }), /dropPath is 1, expected a number from 0/);
    t.throws(() => trainable(model, { newHead: 0 }), /classes is 0, expected an integer/);
    t.throws(() => trainable({} as GrootV), /the model is an object, expected a GrootV/);
    const trained = trainable(model);
    t.throws(() => trainable(model), /trainable already/);
    trained.dispose();
    trainable(model).dispose();
    return undefined;
  });
});

t.test('a model of an earlier version has to be converted again', async (t) => {
  await tf.setBackend('cpu');
  const { sink, model } = await loadConverted(FILE);
  model.dispose();
  const artifacts = sink.artifacts() as tf.io.ModelArtifacts;
  const { node } = artifacts.modelTopology as { node: { attr: Record<string, unknown> }[] };
  const older = node.map((each) => ({
    ...each,
    attr: Object.fromEntries(Object.entries(each.attr).filter(([name]) => !name.startsWith('torch_'))),
  }));
  const modelTopology = { ...artifacts.modelTopology, node: older };
  const old = await GrootV.load(tf.io.fromMemory({ ...artifacts, modelTopology }));
  t.throws(
    () => trainable(old),
    /^Error: trainable: .* convert the checkpoint again$|convert the checkpoint again/,
  );
  old.dispose();
});

t.test('layouts are untrusted', (t) => {
  const ints = (...values: (number | string)[]) => ({ list: { i: values.map(String) } });
  const read = (attr: Record<string, unknown>, size = 6) =>
    readLayout({ name: 'w', op: 'Const', attr }, size);
  t.same(read({ torch_shape: ints(2, 3), torch_axes: ints(1, 0) }), { shape: [2, 3], axes: [1, 0] });
  t.equal(read({}), undefined);
  for (const attr of [
    { torch_shape: ints(2, 3) },
    { torch_shape: ints(2, 3), torch_axes: ints(0, 0) },
    { torch_shape: ints(2, 3), torch_axes: ints(0) },
    { torch_shape: ints(2, 4), torch_axes: ints(1, 0) },
    { torch_shape: ints(-2, -3), torch_axes: ints(1, 0) },
    { torch_shape: ints('x', 3), torch_axes: ints(1, 0) },
    { torch_shape: ints(...new Array(17).fill(1)), torch_axes: ints(0) },
    { torch_shape: { s: 'Mg==' }, torch_axes: ints(1, 0) },
    { torch_shape: ints(2, 3), torch_axes: ints(1, 0), torch_view: ints(2, 2) },
  ]) {
    t.throws(() => read(attr), /the weight "w"/, JSON.stringify(attr));
  }
  t.end();
});
