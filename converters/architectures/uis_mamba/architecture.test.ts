/**
 * UIS-Mamba's backbone: names and shapes, what determines the weakening of states, malformed input. The conformance suite checks
 * values.
 */
import { readFileSync } from 'node:fs';
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import type { UisMambaArchitecture } from '../../../plugin/models/uis_mamba_metadata.js';
import { onBackend } from '../../../testing/backends.js';
import { randomState } from '../../../testing/checkpoints.js';
import { fixturePath } from '../../../testing/fixtures.js';
import { loadConverted, loadSink } from '../../../testing/models.js';
import { convertSaved, saved } from '../../../testing/openmmlab_checkpoints.js';
import { convertCheckpoint, MemorySink } from '../../index.js';
import {
  MadeOrderedDict,
  madeDict,
  type Picklable,
  torchZipBytes,
} from '../../pytorch/testing/torch_writer.js';
import { countParameters } from '../grootv/architecture.js';
import { uisMambaShapes } from './architecture.js';

const SMALL: UisMambaArchitecture = {
  name: 'UIS-Mamba',
  channels: 4,
  depths: [1, 1],
  mlpRatio: 2,
  layerScale: true,
  classes: 0,
  outputNormalization: { levels: [1], epsilon: 1e-6 },
  depatch: false,
};

const small = (more: Partial<UisMambaArchitecture> = {}) =>
  randomState(uisMambaShapes({ ...SMALL, ...more }));

t.test('every key of the full-size class, and no other', async (t) => {
  const { keys, channels, depths, parameters } = JSON.parse(
    readFileSync(fixturePath('family/uis_mamba_t_keys.json') as string, 'utf8'),
  );
  const levels = [0, 1, 2, 3];
  const sizes = { ...SMALL, channels, depths, mlpRatio: 4, layerScale: false };
  const shapes = uisMambaShapes({ ...sizes, outputNormalization: { levels, epsilon: 1e-6 } });
  const expected = keys.map(({ name, shape }: { name: string; shape: number[] }) => `${name} ${shape}`);
  t.same([...shapes].map(([name, shape]) => `${name} ${shape}`).sort(), expected.sort());
  const state = new Map([...shapes].map(([name, shape]) => [name, { shape, elements: 0 }]));
  t.equal(countParameters(state as never), parameters);
});

t.test('any depths, levels and prefix, with either downsampling', async (t) => {
  for (const more of [
    {},
    { depths: [2], depatch: false },
    { depths: [1, 2, 1], depatch: true, outputNormalization: null },
    { channels: 6, layerScale: false, depatch: true },
  ] as Partial<UisMambaArchitecture>[]) {
    const state = new Map([...small(more)].map(([name, values]) => [`module.backbone.${name}`, values]));
    const { inspection, metadata } = await convertSaved(saved(state));
    const expected = { depths: SMALL.depths, channels: SMALL.channels, depatch: false, ...more };
    t.match(inspection, { architecture: 'UIS-Mamba', ...expected, ignored: [] });
    t.match(metadata.architecture, { family: 'UIS-Mamba', metric: 'euclidean', ...expected });
  }
});

t.test('what decides how states are weakened is reported and kept', async (t) => {
  const state = small();
  const config = (text: string) => saved(state, madeDict({ config: text }));
  const configured =
    "model = dict(backbone=dict(type='MM_GrootV', use_hsw=True, hsw_varphi=0.5, pool_size=4))";
  const usual = { useHsw: false, hswVarphi: 0.7, poolSize: 2 };
  const fromDefault = { useHsw: 'default', hswVarphi: 'default', poolSize: 'default' };
  const fromFile = { useHsw: 'checkpoint', hswVarphi: 'checkpoint', poolSize: 'checkpoint' };
  const beside = (parts: Record<string, Picklable>) =>
    madeDict({ ...parts, state_dict: new MadeOrderedDict(state) });
  for (const [what, root, options, values, from, warning] of [
    ['nothing', saved(state), {}, usual, fromDefault, /useHsw false \(--use-hsw\), hswVarphi 0\.7/],
    [
      'an option',
      saved(state),
      { useHsw: true, poolSize: 3 },
      { ...usual, useHsw: true, poolSize: 3 },
      { useHsw: 'options', hswVarphi: 'default', poolSize: 'options' },
      /taken: hswVarphi 0\.7 \(--hsw-varphi\)$/,
    ],
    [
      'a configuration',
      config(configured),
      {},
      { useHsw: true, hswVarphi: 0.5, poolSize: 4 },
      fromFile,
      undefined,
    ],
    [
      'an option before it',
      config(configured),
      { hswVarphi: 0.9 },
      { useHsw: true, hswVarphi: 0.9, poolSize: 4 },
      { ...fromFile, hswVarphi: 'options' },
      undefined,
    ],
    [
      'a configuration without them',
      config("model = dict(backbone=dict(type='MM_GrootV'))"),
      {},
      usual,
      fromFile,
      undefined,
    ],
    [
      'a value that is none',
      config('model = dict(backbone=dict(use_hsw=True, pool_size=0))'),
      {},
      { ...usual, useHsw: true },
      { ...fromFile, poolSize: 'default' },
      /taken: poolSize 2/,
    ],
    [
      'a pickled configuration',
      beside({ config: madeDict({ use_hsw: true, pool_size: 1 }) }),
      {},
      { ...usual, useHsw: true, poolSize: 1 },
      { ...fromFile, hswVarphi: 'default' },
      /taken: hswVarphi/,
    ],
  ] as const) {
    const { inspection, settings, metadata } = await convertSaved(root, { uisMamba: options });
    t.match(metadata.architecture, values, what);
    for (const [name, origin] of Object.entries(from)) {
      t.match(
        settings[name],
        { value: values[name as keyof typeof values], from: origin },
        `${what}: ${name}`,
      );
    }
    const { warnings } = inspection;
    t.equal(warnings.length, warning ? 1 : 0, `${what}: ${warnings}`);
    if (warning) t.match(warnings[0], warning, what);
  }
});

t.test('options that do not fit are refused', async (t) => {
  for (const [options, message] of [
    [{ uisMamba: { poolSize: 0 } }, /poolSize is 0, expected an integer from 1 to 1024/],
    [{ uisMamba: { useHsw: 'yes' } }, /useHsw is "yes", expected true or false/],
    [{ stemStride: 1 }, /stemStride was given, which is for GrootV and GG-SSM/],
    [{ classNames: ['fish'] }, /classNames was given, which is for models with heads/],
  ] as const) {
    await t.rejects(convertSaved(saved(small()), options as never), { message });
  }
  const other = new Map([...small()].filter(([name]) => !/deform_module|pruning_module|outnorm/.test(name)));
  await t.rejects(convertSaved(saved(other), { uisMamba: { useHsw: true } }), {
    message: /useHsw was given, which is for UIS-Mamba; this is a GrootV checkpoint/,
  });
  await t.rejects(convertSaved(saved(small({ inputChannels: 1 }))), {
    message: /patch_embed\.conv1\.weight is \[2, 1, 3, 3\], expected \[2, 3, 3, 3\]/,
  });
  const damaged = new Map([...small()].filter(([name]) => !name.endsWith('pruning_module.alpha')));
  for (const root of [saved(damaged), madeDict({ arch: 'uis-mamba', model: new MadeOrderedDict(damaged) })]) {
    await t.rejects(convertSaved(root), { message: /UIS-Mamba .*2 missing: .*pruning_module\.alpha/ });
  }
});

t.test('along fixed paths there is no metric', async (t) => {
  const { inspection, metadata } = await convertSaved(saved(small()), { scan: 'raster' });
  t.match([inspection.scan, metadata.architecture.scan], ['raster', 'raster']);
  t.same([inspection.metric, metadata.architecture.metric], [undefined, undefined]);
});

t.test('gradients in what moves the features agree with differences', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const state = small({ depatch: true, layerScale: false, outputNormalization: null });
    const sink = new MemorySink();
    await convertCheckpoint(await torchZipBytes(saved(state)), sink, { uisMamba: { useHsw: true } });
    const model = await loadSink(sink);
    const image = tf.randomUniform([1, 32, 32, 3], 0, 1, 'float32', 3);
    const dy = tf.randomNormal([1, 4, 4, 8], 0, 1, 'float32', 5);
    const trees = [0, 1].flatMap((block) => [`blocks_${block}/order`, `blocks_${block}/parent`]);
    const given = model.execute({ normalized: image }, trees) as tf.Tensor[];
    const feeds = { normalized: image, ...Object.fromEntries(trees.map((node, i) => [node, given[i]])) };
    const loss = () => tf.sum(tf.mul(dy, model.execute(feeds, 'features_1') as tf.Tensor));
    for (const name of [
      'levels.0.blocks.0.TreeSSM.deform_module.deform_predictor.2.weight',
      'levels.1.blocks.0.TreeSSM.deform_module.weight_coef',
      'levels.0.downsample.depatch.offset_predictor.weight',
      'levels.0.downsample.depatch.box_coder.wh_bias',
    ]) {
      const [weight] = model.weights[name];
      const { value, grads } = tf.engine().gradients(loss, [weight]);
      const [norm, ahead, behind] = tf.tidy(() => {
        const length = tf.norm(grads[0]);
        const at = (step: number) => {
          model.weights[name][0] = tf.add(weight, tf.mul(grads[0], tf.div(step, length)));
          return loss().dataSync()[0];
        };
        return [length.dataSync()[0], at(2e-3), at(-2e-3)];
      });
      model.weights[name][0] = weight;
      tf.dispose([value, grads]);
      const slope = (ahead - behind) / 4e-3;
      t.ok(Math.abs(slope - norm) < 0.02 * norm, `${name}: ${norm}, by differences ${slope}`);
    }
    model.dispose();
    tf.dispose([image, dy, given]);
  });
  t.equal(leaked, 0);
});

t.test('an image whose last map has no cell says so in one line', async (t) => {
  await onBackend('wasm', async () => {
    const { model } = await loadConverted('family/uis_mamba_dts_hsw.pth', { uisMamba: { useHsw: true } });
    const run = (side: number) =>
      tf.tidy(() => (model as GraphModel).execute({ image: tf.zeros([1, side, side, 3]) }, 'features_3'));
    for (const side of [1, 32]) {
      t.throws(() => run(side), {
        message: /^Cell\w+: x has 1 rows, expected at least 2, the side of a cell$/,
      });
    }
    const features = run(33) as tf.Tensor;
    t.same(features.shape, [1, 2, 2, 64]);
    t.ok(features.dataSync().every(Number.isFinite));
    features.dispose();
    model.dispose();
  });
});
