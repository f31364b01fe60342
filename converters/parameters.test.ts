/** Parameters by prefix: the shapes that reading declares, and those that networks of the published sizes declare. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { fixturePath } from '../testing/fixtures.js';
import { grootVShapes } from './architectures/grootv/architecture.js';
import { grootVBackbone } from './architectures/grootv/graph.js';
import { GraphBuilder } from './graph/graph_builder.js';
import { ImageLayers } from './graph/image_layers.js';
import { Parameters } from './parameters.js';

const SIZES = {
  T: { name: 'GrootV-T', channels: 80, depths: [2, 2, 9, 2] },
  S: { name: 'GrootV-S', channels: 96, depths: [2, 2, 13, 2] },
  B: { name: 'GrootV-B', channels: 128, depths: [2, 2, 13, 2] },
};

t.test('reading declares', async (t) => {
  const stored = { shape: [2, 3], elements: 6, readFloat32: async () => new Float32Array(6) };
  const parameters = new Parameters(new Map([['a.b.weight', stored]]));
  const module = parameters.at('a').at('b');
  t.equal(module.prefix, 'a.b');
  t.ok(module.has('weight'));
  t.notOk(module.has('bias'));
  t.equal(module.size('weight', 1, 7), 3);
  t.equal(module.size('bias', 0, 7), 7);
  const weight = module.tensor('weight', [2, 3]);
  t.same([weight.name, weight.shape, weight.elements], ['a.b.weight', [2, 3], 6]);
  t.equal((await weight.readFloat32()).length, 6);
  await t.rejects(module.tensor('bias', [2]).readFloat32(), { message: /has no a\.b\.bias/ });
  t.same(
    [...parameters.declared],
    [
      ['a.b.weight', [2, 3]],
      ['a.b.bias', [2]],
    ],
  );
});

/** GG-SSM's checkpoint is the trunk alone. */
const KEYS = [
  ...(['T', 'S', 'B'] as const).map(
    (letter) => [`grootv/grootv_${letter.toLowerCase()}`, letter, 1000] as const,
  ),
  ['family/gg_ssm_t', 'T', 0],
] as const;

t.test('the walk over the layers declares every parameter of the published networks', async (t) => {
  for (const [path, letter, classes] of KEYS) {
    const sizes = SIZES[letter];
    const file = fixturePath(`${path}_keys.json`) as string;
    const { keys } = JSON.parse(readFileSync(file, 'utf8')) as { keys: { name: string; shape: number[] }[] };
    const parameters = keys.filter(({ name }) => !name.endsWith('num_batches_tracked'));
    const network = { ...sizes, mlpRatio: 4, layerScale: false, classes, convolutionHead: classes > 0 };
    t.same(
      Object.fromEntries(grootVShapes(network)),
      Object.fromEntries(parameters.map(({ name, shape }) => [name, shape])),
      path,
    );
  }
});

t.test('a backbone under a prefix, on any input node', (t) => {
  const layers = new ImageLayers(new GraphBuilder());
  const input = layers.graph.placeholder('pixels', [-1, -1, -1, 3]);
  const parameters = new Parameters();
  const sizes = {
    ...SIZES.T,
    depths: [1, 1],
    mlpRatio: 4,
    layerScale: false,
    classes: 0,
    convolutionHead: false,
  };
  const { levels, channels } = grootVBackbone(layers, parameters.at('backbone'), input, sizes);
  t.same(levels, ['features_0', 'features_1']);
  t.equal(channels, 160);
  const names = [...parameters.declared.keys()];
  t.ok(names.length > 0 && names.every((name) => name.startsWith('backbone.')));
  t.ok(layers.graph.weights.has('backbone.levels.1.blocks.0.TreeSSM.A_logs'));
  t.end();
});
