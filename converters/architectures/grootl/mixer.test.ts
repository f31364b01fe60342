/**
 * The mixer of a GrootL layer against the authors' code: trees, scans, outputs, gradients, ties. On one backend only; the
 * conformance suite checks all backends against these files.
 */
import * as tf from '@tensorflow/tfjs-core';
import t, { type Test } from 'tap';
import { boruvkaMST, windowGraph } from '../../../plugin/index.js';
import { onBackend } from '../../../testing/backends.js';
import { channelsLast, type Fixture, fixtureFiles, readFixture } from '../../../testing/fixtures.js';
import { maxDifference } from '../../../testing/measure.js';
import { loadSink, orderOf, toTensor } from '../../../testing/models.js';
import { GraphBuilder } from '../../graph/graph_builder.js';
import { writeModel } from '../../graph/model_writer.js';
import { TorchLayers } from '../../graph/torch_layers.js';
import { MemorySink } from '../../index.js';
import { type Parameter, Parameters } from '../../parameters.js';
import { selectiveMixer } from './mixer.js';

/** Relative to the largest value; the reference's own float32 differs from its float64 by as much. */
const OUTPUT = 2e-6;
const GRADIENT = 2e-5;

const BACKEND = 'wasm';

t.test('mixers', async (t) => {
  for (const file of fixtureFiles('grootl/op', /^case/)) {
    await t.test(file, (t) => checkMixer(t, readFixture(file)));
  }
});

t.test('ties', async (t) => {
  const fixture = readFixture('grootl/op/mst_ties.safetensors');
  const { leaked } = await onBackend(BACKEND, () => {
    for (let k = 0; fixture.has(`t${k}.pairs`); k++) {
      const [length, promptLength] = fixture.tensor(`t${k}.L_ctx`).values;
      tf.tidy(() => {
        const edges = windowGraph(length, { promptLength });
        t.same([...edges.dataSync()], [...fixture.tensor(`t${k}.pairs`).values], `t${k}: the graph`);
        const weights = tf.reshape(toTensor(fixture.tensor(`t${k}.weight`)), [1, -1]);
        const chosen = boruvkaMST(weights, edges, { numVertices: length }).edgeIndex;
        const expected = [...fixture.tensor(`t${k}.mst_edge_index`).values].sort((a, b) => a - b);
        t.same([...chosen.dataSync()], expected, `t${k}: the tree`);
      });
    }
  });
  t.equal(leaked, 0);
});

async function checkMixer(t: Test, fixture: Fixture): Promise<void> {
  const context = /ctx(?:list)?(\d+)(?:_(\d+))?/.exec(fixture.name) as RegExpExecArray;
  // A batch has a single prompt length: the smallest in the list.
  const promptLength = Math.min(...context.slice(1).filter(Boolean).map(Number));
  const { leaked } = await onBackend(BACKEND, async () => {
    const model = await loadSink(await mixerModel(fixture));
    tf.tidy(() => {
      const x = toTensor(fixture.tensor('input_states'));
      const [batch, length] = x.shape;
      const feeds = {
        input_ids: tf.zeros([batch, length], 'int32'),
        prompt_length: tf.scalar(promptLength, 'int32'),
      };
      const run = (x: tf.Tensor, node: string, more = {}) =>
        model.execute({ ...feeds, x, ...more }, node) as tf.Tensor;

      if (fixture.has('tree_weight')) {
        const weights = tf.exp(run(x, 'layers_0/edge_weights')).dataSync();
        const difference = maxDifference(weights, fixture.tensor('tree_weight').values);
        t.ok(difference <= 2e-6, `edge weights: ${difference}`);
      }
      const expected = orderOf(fixture.tensor('tree_parent'));
      const parents = (order: tf.Tensor, parent: tf.Tensor) => parentIds(order, parent);
      t.same(
        parents(run(x, 'layers_0/order'), run(x, 'layers_0/parent')),
        parents(expected.order, expected.parent),
        'the tree',
      );
      relative(t, 'output', run(x, 'layers_0/out_proj'), fixture.tensor('output_f64').values, OUTPUT);

      // The state after the last token is that of vertex 0.
      const mixed = channelsLast(fixture.tensor('mix_out'));
      const rows = mixed.values.length / batch;
      const last = Array.from({ length: batch }, (_, b) =>
        Array.from(mixed.values.slice(b * rows, b * rows + mixed.shape[2])),
      ).flat();
      relative(t, 'state', run(x, 'state_0'), last, OUTPUT);

      const names = fixture.names().filter((name) => name.startsWith('grad_f64.'));
      const weights = names.map((name) => model.weights[name.slice('grad_f64.'.length)][0]);
      const dy = toTensor(fixture.tensor('grad_output'));
      const gradients = tf.grads((x) => run(x, 'layers_0/out_proj'))([x, ...weights], dy);
      relative(t, 'input gradient', gradients[0], fixture.tensor('grad_input_states_f64').values, GRADIENT);
      names.forEach((name, i) => {
        const { shape, values } = fixture.tensor(name);
        relative(t, name, asStored(gradients[i + 1], shape), values, GRADIENT);
      });
    });
    model.dispose();
  });
  t.equal(leaked, 0, 'no tensor is left behind');
}

/** A model of a single mixer: `x` [B, L, H] replaces the normalised activations. */
async function mixerModel(fixture: Fixture): Promise<MemorySink> {
  const state = new Map<string, Parameter>();
  for (const name of fixture.names().filter((name) => name.startsWith('mixer.'))) {
    const { shape, values } = fixture.tensor(name);
    state.set(name, { shape, elements: values.length, readFloat32: async () => Float32Array.from(values) });
  }
  const [intermediate, states] = fixture.tensor('mixer.A_log').shape;
  const [hidden] = fixture.tensor('mixer.out_proj.weight').shape;
  const layers = new TorchLayers(new GraphBuilder());
  const { graph } = layers;
  const x = graph.placeholder('x', [-1, -1, hidden]);
  const tokens = graph.placeholder('input_ids', [-1, -1], 'int32');
  const prompt = graph.placeholder('prompt_length', [], 'int32');
  const edges = graph.node('WindowGraph', 'window', [tokens, prompt]);
  const sizes = { hidden, intermediate, states, taps: 4, stepRank: 1, bias: false, convolutionBias: true };
  const window = { edges, tokenEdges: `${edges}:1` };
  const { state: last } = selectiveMixer(
    { layers, sizes, window },
    'layers_0',
    new Parameters(state, 'mixer'),
    x,
  );
  graph.node('Identity', 'state_0', [last]);
  const sink = new MemorySink();
  await writeModel(graph, sink);
  return sink;
}

/** Parent vertex by vertex id, -1 for the root: independent of which breadth-first order represents the tree. */
function parentIds(order: tf.Tensor, parent: tf.Tensor): number[][] {
  const [orders, parents] = [order, parent].map((tensor) => tensor.arraySync() as number[][]);
  return orders.map((vertices, b) => {
    const ids = new Array<number>(vertices.length).fill(-1);
    for (let i = 1; i < vertices.length; i++) ids[vertices[i]] = vertices[parents[b][i]];
    return ids;
  });
}

function relative(t: Test, name: string, given: tf.Tensor, expected: ArrayLike<number>, bound: number): void {
  const scale = Math.max(...Array.from(expected, Math.abs));
  const difference = maxDifference(given.dataSync(), expected) / scale;
  t.ok(difference <= bound, `${name}: ${difference} of ${scale}`);
}

/** A gradient in PyTorch's layout: matrices and convolution kernels are transposed. */
function asStored(gradient: tf.Tensor, shape: number[]): tf.Tensor {
  const stored = gradient.shape.length === 2 && `${gradient.shape}` !== `${shape}`;
  return tf.reshape(stored ? tf.transpose(gradient) : gradient, shape);
}
