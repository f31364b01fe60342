/**
 * The ablations: modules against a float64 formula, whole models against the default one with fed trees, edge weights against the
 * op, recorded metadata, and refused options.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import t from 'tap';
import { boruvkaMST, edgeDissimilarity, gridGraph } from '../../../plugin/index.js';
import { nodesOf } from '../../../plugin/models/graph_editor.js';
import type { GrootVScan } from '../../../plugin/models/grootv_metadata.js';
import { exportCheckpoint } from '../../../plugin/training/index.js';
import { BACKENDS, onBackend } from '../../../testing/backends.js';
import { grootVShapes, randomState, randomValues, uniform } from '../../../testing/checkpoints.js';
import { relativeDifference } from '../../../testing/measure.js';
import { loadSink } from '../../../testing/models.js';
import { convertSaved, DETECTOR, SEGMENTER, saved } from '../../../testing/openmmlab_checkpoints.js';
import { GraphBuilder } from '../../graph/graph_builder.js';
import { ImageLayers } from '../../graph/image_layers.js';
import { writeModel } from '../../graph/model_writer.js';
import { bytesSource, convertCheckpoint, inspectCheckpoint, MemorySink } from '../../index.js';
import { Parameters } from '../../parameters.js';
import { MadeOrderedDict, torchZipBytes } from '../../pytorch/testing/torch_writer.js';
import { treeStateSpaceModel } from './graph.js';
import { chooseScan, LevelScan } from './scans.js';

/** The bound for all comparisons with float64, relative to the largest value. */
const LAYER = 5e-6;

const [CHANNELS, INNER, RANK] = [6, 12, 1];
const [HEIGHT, WIDTH] = [5, 7];
const VERTICES = HEIGHT * WIDTH;

/** Parameters of a module, including those that are constant by default. */
function randomModule(): Map<string, { shape: number[]; values: Float32Array }> {
  const random = uniform(3);
  const shapes: Record<string, number[]> = {
    'in_proj.weight': [2 * INNER, CHANNELS],
    'conv2d.weight': [INNER, 1, 3, 3],
    x_proj_weight: [1, RANK + 2, INNER],
    dt_projs_weight: [1, INNER, RANK],
    dt_projs_bias: [1, INNER],
    A_logs: [INNER, 1],
    Ds: [INNER],
    'h_norm.weight': [INNER],
    'h_norm.bias': [INNER],
    'out_norm.weight': [INNER],
    'out_norm.bias': [INNER],
    'out_proj.weight': [CHANNELS, INNER],
  };
  return new Map(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, values: randomValues(name, shape, random) },
    ]),
  );
}

const PARAMETERS = randomModule();
const valuesOf = (name: string) => (PARAMETERS.get(name) as { values: Float32Array }).values;
const FEATURES = Float32Array.from({ length: VERTICES * CHANNELS }, uniform(4));

/** One module over the pixels of a map, as a model. */
async function moduleOf(choice: GrootVScan): Promise<GraphModel> {
  const graph = new GraphBuilder();
  const input = graph.placeholder('input', [-1, -1, -1, CHANNELS]);
  const parameters = new Map(
    [...PARAMETERS].map(([name, { shape, values }]) => [
      name,
      { shape, elements: values.length, readFloat32: async () => values },
    ]),
  );
  const scan = new LevelScan(graph, 0, input, choice);
  treeStateSpaceModel(new ImageLayers(graph), new Parameters(parameters), 'm', CHANNELS, input, scan);
  const sink = new MemorySink();
  await writeModel(graph, sink);
  return loadSink(sink);
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
/** x [rows, n] times the transpose of weights [m, n]. */
function linear(
  x: ArrayLike<number>,
  weights: ArrayLike<number>,
  n: number,
  from = 0,
  to = weights.length / n,
) {
  const rows = x.length / n;
  const y = new Float64Array(rows * (to - from));
  for (let row = 0; row < rows; row++) {
    for (let m = from; m < to; m++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += x[row * n + k] * weights[m * n + k];
      y[row * (to - from) + m - from] = sum;
    }
  }
  return y;
}

function normalized(x: Float64Array, scale: ArrayLike<number>, shift: ArrayLike<number>): Float64Array {
  return x.map((value, i) => {
    const row = x.subarray(i - (i % INNER), i - (i % INNER) + INNER);
    const mean = row.reduce((sum, each) => sum + each, 0) / INNER;
    const variance = row.reduce((sum, each) => sum + (each - mean) ** 2, 0) / INNER;
    return ((value - mean) / Math.sqrt(variance + 1e-5)) * scale[i % INNER] + shift[i % INNER];
  });
}

/** The module in float64. @param states the scan [V, INNER] of inputs and decays */
function expectedModule(states: (input: Float64Array, decay: Float64Array) => Float64Array): Float64Array {
  const projected = linear(FEATURES, valuesOf('in_proj.weight'), CHANNELS, 0, INNER);
  const gate = linear(FEATURES, valuesOf('in_proj.weight'), CHANNELS, INNER).map((g) => g * sigmoid(g));
  const kernel = valuesOf('conv2d.weight');
  const x = projected.map((_, i) => {
    const [d, v] = [i % INNER, Math.floor(i / INNER)];
    let sum = 0;
    for (let k = 0; k < 9; k++) {
      const [row, column] = [Math.floor(v / WIDTH) + Math.floor(k / 3) - 1, (v % WIDTH) + (k % 3) - 1];
      const isInside = row >= 0 && row < HEIGHT && column >= 0 && column < WIDTH;
      if (isInside) sum += projected[(row * WIDTH + column) * INNER + d] * kernel[d * 9 + k];
    }
    return sum * sigmoid(sum);
  });
  const selected = linear(x, valuesOf('x_proj_weight'), INNER);
  const part = (v: number, i: number) => selected[v * (RANK + 2) + i];
  const rank = Float64Array.from({ length: VERTICES * RANK }, (_, i) => part(Math.floor(i / RANK), i % RANK));
  const step = linear(rank, valuesOf('dt_projs_weight'), RANK).map((dt, i) =>
    Math.log1p(Math.exp(dt + valuesOf('dt_projs_bias')[i % INNER])),
  );
  const decay = step.map((dt, i) => Math.exp(-Math.exp(valuesOf('A_logs')[i % INNER]) * dt));
  const input = step.map((dt, i) => dt * part(Math.floor(i / INNER), RANK) * x[i]);
  const read = normalized(states(input, decay), valuesOf('h_norm.weight'), valuesOf('h_norm.bias'));
  const mixed = read.map(
    (h, i) => h * part(Math.floor(i / INNER), RANK + 1) + valuesOf('Ds')[i % INNER] * x[i],
  );
  const output = normalized(mixed, valuesOf('out_norm.weight'), valuesOf('out_norm.bias'));
  return linear(
    output.map((y, i) => y * gate[i]),
    valuesOf('out_proj.weight'),
    INNER,
  );
}

/** Vertices in row-major and in column-major order. */
const ROWS = Array.from({ length: VERTICES }, (_, v) => v);
const COLUMNS = ROWS.map((i) => (i % HEIGHT) * WIDTH + Math.floor(i / HEIGHT));

/** The sum over paths of h(t) = decay[v] h(t-1) + input[v]. */
function recurrences(paths: readonly (readonly number[])[], input: Float64Array, decay: Float64Array) {
  const sum = new Float64Array(input.length);
  for (const path of paths) {
    const h = new Float64Array(INNER);
    for (const v of path) {
      for (let d = 0; d < INNER; d++) {
        const i = v * INNER + d;
        h[d] = decay[i] * h[d] + input[i];
        sum[i] += h[d];
      }
    }
  }
  return sum;
}

/** Sums over subtrees. */
function subtrees(tree: Int32Array[], input: Float64Array, decay: Float64Array): Float64Array {
  const [order, parent] = tree;
  const sums = input.slice();
  for (let i = VERTICES - 1; i > 0; i--) {
    const [v, p] = [order[i] * INNER, order[parent[i]] * INNER];
    for (let d = 0; d < INNER; d++) sums[p + d] += decay[v + d] * sums[v + d];
  }
  return sums;
}

const SMALL = { channels: 8, depths: [2, 1], mlpRatio: 2, classes: 5 };
const STATE = randomState(grootVShapes(SMALL), 5);
const BLOCKS = 3;
/** The first block of each block's stage. */
const FIRST_OF_STAGE = [0, 0, 2];

async function convertSmall(choice: GrootVScan) {
  const sink = new MemorySink();
  const bytes = await torchZipBytes(new MadeOrderedDict(STATE));
  return { inspection: await convertCheckpoint(bytes, sink, choice), sink, model: await loadSink(sink) };
}

function testImage(): tf.Tensor4D {
  return tf.tensor4d(
    Float32Array.from({ length: 2 * 37 * 46 * 3 }, (_, i) => (i * 7919) % 256),
    [2, 37, 46, 3],
  );
}

for (const backend of BACKENDS) {
  t.test(`modules against float64, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      for (const [choice, states] of [
        [
          { scan: 'raster' },
          (_: Int32Array[], ...of: [Float64Array, Float64Array]) => recurrences([ROWS], ...of),
        ],
        [
          { scan: 'cross' },
          (_: Int32Array[], ...of: [Float64Array, Float64Array]) =>
            recurrences([ROWS, COLUMNS, [...ROWS].reverse(), [...COLUMNS].reverse()], ...of),
        ],
        [{ aggregate: 'root' }, subtrees],
      ] as const) {
        const model = await moduleOf(choice);
        const what = Object.values(choice).join();
        tf.tidy(() => {
          const input = tf.tensor4d(FEATURES, [1, HEIGHT, WIDTH, CHANNELS]);
          const tree = what === 'cross' ? [] : ['m/order', 'm/parent'];
          const [output, ...nodes] = [model.execute({ input }, ['m/out_proj', ...tree])].flat();
          const expected = expectedModule((...of) =>
            states(
              nodes.map((node) => node.dataSync() as Int32Array),
              ...of,
            ),
          );
          const difference = relativeDifference(output.dataSync(), expected);
          t.ok(difference <= LAYER, `${what}: ${difference}`);
        });
        model.dispose();
      }
    });
    t.equal(leaked, 0);
  });

  t.test(`one tree a stage is that of its first block, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      const [{ model: usual }, { model }] = [await convertSmall({}), await convertSmall({ trees: 'stage' })];
      tf.tidy(() => {
        const image = testImage();
        const ownTrees = (of: GraphModel, block: number) =>
          of.execute({ image }, [`blocks_${block}/order`, `blocks_${block}/parent`]) as tf.Tensor[];
        const pins = (blocks: readonly number[], tree: (block: number) => tf.Tensor[]) =>
          Object.fromEntries(
            blocks.flatMap((block) => {
              const [order, parent] = tree(block);
              return [
                [`blocks_${block}/order`, order],
                [`blocks_${block}/parent`, parent],
              ];
            }),
          );
        const logits = (of: GraphModel, feeds = {}) =>
          (of.execute({ image, ...feeds }, 'logits') as tf.Tensor).dataSync();
        const own = logits(model);
        const all = Array.from({ length: BLOCKS }, (_, block) => block);
        const pinned = logits(
          usual,
          pins(all, (block) => ownTrees(model, FIRST_OF_STAGE[block])),
        );
        t.same(own, pinned, 'the default model with the trees of the first blocks');
        t.not(relativeDifference(own, logits(usual)) < 1e-3, 'other trees are other logits');
        const [order, parent] = ownTrees(model, 1);
        t.same(
          [order, parent].map((x) => x.dataSync()),
          ownTrees(model, 0).map((x) => x.dataSync()),
          'block 1',
        );
        // A tree fed to the first block applies to the whole stage.
        const fed = (block: number) => ownTrees(usual, block === 2 ? 2 : 1);
        const stage = logits(model, pins([0, 2], fed));
        t.same(
          stage,
          logits(
            usual,
            pins(all, (block) => fed(block)),
          ),
          'a tree that is fed',
        );
      });
      for (const each of [usual, model]) each.dispose();
    });
    t.equal(leaked, 0);
  });

  t.test(`trees by each metric, on ${backend}`, async (t) => {
    const { leaked } = await onBackend(backend, async () => {
      for (const metric of ['cosine', 'euclidean', 'manhattan'] as const) {
        const { model } = await convertSmall({ metric });
        tf.tidy(() => {
          const nodes = ['edge_weights', 'order', 'parent', 'x'].map((node) => `blocks_2/${node}`);
          const [weights, order, parent, x] = model.execute({ image: testImage() }, nodes) as tf.Tensor[];
          const edges = gridGraph(5, 6);
          t.same(weights.dataSync(), edgeDissimilarity(x, edges, { metric }).dataSync(), metric);
          const tree = boruvkaMST(weights, edges, { numVertices: 30 });
          t.same(
            [order, parent].map((x) => x.dataSync()),
            [tree.order, tree.parent].map((x) => x.dataSync()),
          );
        });
        model.dispose();
      }
    });
    t.equal(leaked, 0);
  });
}

t.test('what is asked for is recorded, and an export converts to it again', async (t) => {
  const { leaked } = await onBackend('cpu', async () => {
    const usual = { scan: 'tree', metric: 'cosine', trees: 'block', aggregate: 'all' };
    for (const [choice, recorded] of [
      [{}, usual],
      [
        { metric: 'manhattan', trees: 'stage', aggregate: 'root' },
        { ...usual, metric: 'manhattan', trees: 'stage', aggregate: 'root' },
      ],
      [{ scan: 'raster' }, { scan: 'raster' }],
      [{ scan: 'cross' }, { scan: 'cross' }],
    ] as const) {
      const { model, inspection } = await convertSmall(choice);
      t.match(inspection, recorded);
      const { architecture, nodes } = model.metadata as { architecture: object; nodes: string[] };
      t.match(architecture, recorded);
      const names = new Set(graphNodes(model));
      t.same(
        nodes.filter((node) => !names.has(node)),
        [],
        'nodes that may be asked for',
      );
      const exported = await exportCheckpoint(model);
      t.match(await inspectCheckpoint(bytesSource(exported)), recorded, 'exported');
      t.match(
        await inspectCheckpoint(bytesSource(exported), { scan: 'raster' }),
        { scan: 'raster' },
        'options go first',
      );
      model.dispose();
    }
  });
  t.equal(leaked, 0);
});

const graphNodes = (model: GraphModel) => nodesOf(model).map(({ name }) => name);

t.test('segmenters and detectors scan as they are asked to', async (t) => {
  for (const state of [SEGMENTER, DETECTOR]) {
    const { metadata, model, inspection } = await convertSaved(saved(state), { scan: 'cross' });
    t.match([inspection.scan, metadata.architecture.scan], ['cross', 'cross']);
    const ops = (model.modelTopology.node as { op: string }[]).map(({ op }) => op);
    t.equal(ops.filter((op) => op === 'PathTree').length, 8, 'four paths a level');
    t.notOk(
      ops.some((op) => /SpanningTree|MST$/.test(op)),
      'no spanning tree',
    );
    const stages = await convertSaved(saved(state), { trees: 'stage' });
    t.match(stages.metadata.architecture, { scan: 'tree', trees: 'stage' });
  }
});

t.test('what is not as described is one clear line, and nothing is written', async (t) => {
  const bytes = await torchZipBytes(new MadeOrderedDict(STATE));
  for (const [choice, message] of [
    [{ scan: 'snake' }, 'scan is "snake", expected "tree" or "raster" or "cross"'],
    [{ scan: 'chain' }, 'scan is "chain", expected "tree" or "raster" or "cross"'],
    [{ metric: 'norm2' }, 'metric is "norm2", expected "cosine" or "euclidean" or "manhattan"'],
    [{ trees: 1 }, 'trees is 1, expected "block" or "stage"'],
    [{ aggregate: 'leaves' }, 'aggregate is "leaves", expected "all" or "root"'],
    [
      { scan: 'raster', metric: 'cosine' },
      'metric is "cosine", which is for spanning trees; a raster scan goes along fixed paths',
    ],
    [
      { scan: 'cross', trees: 'stage' },
      'trees is "stage", which is for spanning trees; a cross scan goes along fixed paths',
    ],
  ] as [object, string][]) {
    const sink = new MemorySink();
    await t.rejects(convertCheckpoint(bytes, sink, choice), { name: 'ArchitectureError', message });
    t.equal(sink.files.size, 0);
  }
  for (const [stored, message] of [
    ['{"scan"', "grootvl_scan of the file's metadata is not JSON"],
    ['[]', "grootvl_scan of the file's metadata is an array of 0, expected an object"],
    [
      '{"scan":"zigzag"}',
      'grootvl_scan of the file\'s metadata: scan is "zigzag", expected "tree" or "raster" or "cross"',
    ],
  ]) {
    t.throws(() => chooseScan({}, stored), { name: 'ArchitectureError', message });
  }
  t.same(chooseScan({ trees: 'stage' }, '{"scan":"tree","metric":"euclidean","other":1}'), {
    scan: 'tree',
    metric: 'euclidean',
    trees: 'stage',
    aggregate: 'all',
  });
  t.throws(() => chooseScan({ trees: 'stage' }, '{"scan":"raster"}'), {
    message: /a raster scan goes along/,
  });
});
