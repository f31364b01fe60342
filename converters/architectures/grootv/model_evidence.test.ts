/** The stride of the stem: names and shapes of GrootV and GG-SSM are the same, and the source of the decision is reported. */
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { GrootV } from '../../../plugin/index.js';
import type { GrootVMetadata } from '../../../plugin/models/grootv_metadata.js';
import { onBackend } from '../../../testing/backends.js';
import { grootVShapes, randomState, renamed } from '../../../testing/checkpoints.js';
import {
  bytesSource,
  type ConvertOptions,
  convertCheckpoint,
  type Inspection,
  MemorySink,
} from '../../index.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  madeDict,
  type Picklable,
  torchZipBytes,
} from '../../pytorch/testing/torch_writer.js';

const STATE = randomState(grootVShapes({ channels: 8, depths: [1, 1], classes: 3 }));
const dict = (state: ReadonlyMap<string, Picklable>) => new MadeOrderedDict(state);

interface Converted {
  readonly inspection: Inspection;
  readonly metadata: GrootVMetadata;
  /** Strides of the two convolutions of the stem. */
  readonly strides: readonly string[];
  readonly sink: MemorySink;
}

async function converted(root: Picklable, name: string, options: ConvertOptions = {}): Promise<Converted> {
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(bytesSource(await torchZipBytes(root), name), sink, options);
  const artifacts = sink.artifacts() as unknown as {
    userDefinedMetadata: GrootVMetadata;
    modelTopology: { node: { name: string; attr: { strides?: { list: { i: string[] } } } }[] };
  };
  const strides = artifacts.modelTopology.node
    .filter((node) => /^patch_embed\.conv\d\/convolution$/.test(node.name))
    .map(({ attr }) => `${attr.strides?.list.i}`);
  return { inspection, metadata: artifacts.userDefinedMetadata, strides, sink };
}

/** A configuration as yacs pickles it: dicts of its own class. */
const node = (entries: Record<string, Picklable>): Picklable =>
  new MadeObject(new MadeGlobal('yacs.config', 'CfgNode'), { entries: new Map(Object.entries(entries)) });
const config = (type: string, name = 'x', state: ReadonlyMap<string, Picklable> = STATE) =>
  madeDict({ model: dict(state), config: node({ MODEL: node({ TYPE: type, NAME: name }) }) });
const ofEyeTracker = renamed(STATE, (name) => `spatial_backbone.${name}`);

type Case = readonly [what: string, root: Picklable, name: string, options: ConvertOptions, expected: object];

const CASES: readonly Case[] = [
  ...(['convolutional_graph_ssm', 'gg_ssm_tiny'] as const).map(
    (type): Case => [
      `a configuration of ${type}`,
      ...([config(type), 'model.pth', {}] as const),
      { value: 1, from: 'checkpoint', evidence: `config.MODEL.TYPE is "${type}"` },
    ],
  ),
  [
    'the configuration goes before the name of the file',
    ...([config('grootv'), 'gg_ssm_t.pth', {}] as const),
    { value: 2, from: 'checkpoint', evidence: 'config.MODEL.TYPE is "grootv"' },
  ],
  [
    'modules of the eye tracker',
    ...([dict(ofEyeTracker), 'grootv.pth', {}] as const),
    { value: 1, from: 'checkpoint', evidence: /^it has "spatial_backbone\./ },
  ],
  [
    'the name of the file',
    ...([dict(STATE), 'runs/gg_ssm_t.pth', {}] as const),
    { value: 1, from: 'file name', evidence: 'the file is named "gg_ssm_t.pth"', note: /--stem-stride 2/ },
  ],
  [
    'the name of a file of GrootV',
    ...([dict(STATE), 'grootv_t.pth', {}] as const),
    { value: 2, from: 'file name', note: /--stem-stride 1/ },
  ],
  ['nothing', dict(STATE), 'gg/model.pth', {}, { value: 2, from: 'default' }],
  [
    'the option',
    config('convolutional_graph_ssm'),
    'gg_ssm.pth',
    { stemStride: 2 },
    { value: 2, from: 'options' },
  ],
  ['the option 1', dict(STATE), 'grootv_t.pth', { stemStride: 1 }, { value: 1, from: 'options' }],
];

for (const [what, root, name, options, expected] of CASES) {
  t.test(`stem stride by ${what}`, async (t) => {
    const { inspection, metadata, strides } = await converted(root, name, options);
    const { value, from } = expected as { value: 1 | 2; from: string };
    t.match(inspection.settings, [{ name: 'stemStride', ...expected }]);
    t.match(inspection, { stemStride: value, architecture: value === 1 ? /^GG-SSM$/ : /^GrootV$/ });
    t.equal(inspection.warnings.length, from === 'default' ? 1 : 0);
    t.same(strides, new Array(2).fill(`1,${value},${value},1`));
    t.match(metadata, {
      architecture: { family: 'GrootV', stemStride: value, inputChannels: 3 },
      preprocessing:
        value === 1 ? { mean: [0, 0, 0], deviation: [1, 1, 1] } : { mean: [0.485, 0.456, 0.406] },
    });
  });
}

for (const [what, root, stride, warning] of [
  [
    'two keys of the configuration',
    config('grootv', 'gg_ssm'),
    2,
    'config.MODEL.TYPE is "grootv", so the stem has strides of 2; but config.MODEL.NAME is "gg_ssm". ' +
      '--stem-stride 1 where the second is right',
  ],
  [
    'the configuration and modules of the eye tracker',
    config('grootv', 'x', ofEyeTracker),
    2,
    /^config.MODEL.TYPE is "grootv", so .*; but it has "spatial_backbone\..*--stem-stride 1 where/,
  ],
  ['the same twice', config('convolutional_graph_ssm', 'gg_ssm'), 1, undefined],
] as const) {
  t.test(`${what} name models of either stride`, async (t) => {
    const { inspection } = await converted(root, 'model.pth');
    t.equal(inspection.stemStride, stride);
    t.match(inspection.warnings, warning === undefined ? [] : [warning]);
    t.equal(inspection.warnings.length, warning === undefined ? 0 : 1);
    const chosen = await converted(root, 'model.pth', { stemStride: 1 });
    t.same(chosen.inspection.warnings, [], 'nothing is left to say where the option decides');
  });
}

t.test('an option that is neither', async (t) => {
  await t.rejects(converted(dict(STATE), 'a.pth', { stemStride: 3 as 1 }), {
    message: 'stemStride is 3, expected 1 (GG-SSM) or 2 (GrootV)',
  });
});

t.test('one channel: the graph takes it, and methods for images say so', async (t) => {
  const state = randomState(grootVShapes({ channels: 8, depths: [1], classes: 3, inputChannels: 1 }));
  const { inspection, metadata, sink } = await converted(dict(state), 'gg_ssm.pth');
  t.equal(inspection.inputChannels, 1);
  t.match(metadata.preprocessing, { channels: 'any', mean: [0], deviation: [1] });
  await onBackend('cpu', async () => {
    const model = await GrootV.load(sink);
    const image = tf.randomUniform<tf.Rank.R4>([1, 5, 6, 1], 0, 255, 'float32', 3);
    const [logits, normalized] = model.model.execute({ image }, ['logits', 'normalized']) as tf.Tensor[];
    t.same(logits.shape, [1, 3]);
    t.ok(Math.abs(normalized.dataSync()[7] - image.dataSync()[7] / 255) < 1e-6);
    await t.rejects(model.classify({ width: 2, height: 2, data: new Uint8ClampedArray(16) }), {
      message: /^GrootV\.classify: the model takes \[N, H, W, 1\], expected RGB images/,
    });
    t.throws(() => model.logits(image), {
      message: /^GrootV\.logits: the model takes \[N, H, W, 1\], expected/,
    });
    tf.dispose([image, logits, normalized]);
    model.dispose();
  });
});
