import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import t from 'tap';
import { GraphBuilder, int, type } from '../../converters/graph/graph_builder.js';
import { writeModel } from '../../converters/graph/model_writer.js';
import { MemorySink } from '../../converters/index.js';
import '../index.js';
import { type GraphPart, outputKey, partsOf } from './graph_parts.js';
import { LoadedModel } from './loaded_model.js';

const FLOAT = { T: type('float32') };
const awaited = (op: string) => (op === 'Neg' ? [0] : []);

/** Squares, the waiting node, two halves of its output, and a sum that also reads an earlier value. */
async function model(): Promise<LoadedModel> {
  const graph = new GraphBuilder();
  const x = graph.placeholder('x', [4]);
  const squares = graph.node('Square', 'squares', [x], FLOAT);
  const waited = graph.node('Neg', 'waited', [squares], FLOAT);
  graph.node('Split', 'halves', [graph.literal('axis', 0, 'int32'), waited], { ...FLOAT, num_split: int(2) });
  graph.node('AddV2', 'sum', ['halves:1', graph.literal('ten', [10, 20])], FLOAT);
  graph.node('Neg', 'again', ['halves:1'], FLOAT);
  graph.node('Neg', 'twice', ['again'], FLOAT);
  graph.node('Mul', 'last', ['again', 'sum'], FLOAT);
  graph.node('Mul', 'beside', [waited, squares], FLOAT);
  const sink = new MemorySink();
  await writeModel(graph, sink);
  return LoadedModel.from('a model', sink.artifacts());
}

/** Runs the parts one after another. */
function run(parts: readonly GraphPart[], fed: Record<string, tf.Tensor>, asked: readonly string[]) {
  return tf.tidy(() => {
    const values = new Map(Object.entries(fed).map(([name, tensor]) => [outputKey(name), tensor]));
    for (const { graph, inputs, outputs } of parts) {
      const given = [...inputs].map(([placeholder, output]) => [placeholder, values.get(output)]);
      const results = graph.execute(Object.fromEntries(given), outputs);
      for (const [i, output] of outputs.entries()) values.set(output, results[i]);
    }
    return asked.map((output) => [...(values.get(outputKey(output)) as tf.Tensor).dataSync()]);
  });
}

t.test('parts give what the graph gives', async (t) => {
  await tf.setBackend('cpu');
  const loaded = await model();
  const x = tf.tensor1d([1, 2, 3, 4]);
  for (const [asked, kinds] of [
    [
      ['last', 'beside', 'squares'],
      [false, true, false, true, false],
    ],
    [
      ['halves:1', 'sum'],
      [false, true, false],
    ],
    [['waited'], [false, true]],
    [['twice'], [false, true, false, true, true]],
  ] as const) {
    const parts = partsOf(loaded, ['x'], asked, awaited) as GraphPart[];
    t.same(
      parts.map((part) => part.awaited.length > 0),
      kinds,
      asked.join(),
    );
    const expected = tf.tidy(() =>
      [loaded.execute({ x }, [...asked])].flat().map((tensor) => [...tensor.dataSync()]),
    );
    t.same(run(parts, { x }, asked), expected, asked.join());
  }
  const fed = partsOf(loaded, ['waited'], ['last'], awaited) as GraphPart[];
  t.same(run(fed, { waited: x }, ['last']), [[-3 * 13, -4 * 24]], 'a node in the middle is fed');
  x.dispose();
  loaded.dispose();
});

t.test('what is not cut', async (t) => {
  const loaded = await model();
  t.equal(partsOf(loaded, ['x'], ['squares'], awaited), undefined, 'nothing waits');
  t.equal(partsOf(loaded, ['waited'], ['sum'], awaited), undefined, 'what waits is fed');
  t.equal(partsOf(loaded, ['x'], ['x', 'last'], awaited), undefined, 'what is fed is asked for');
  t.equal(partsOf(loaded, ['x'], ['ten', 'last'], awaited), undefined, 'so is a weight');
  t.equal(partsOf(loaded, ['x'], ['nothing'], awaited), undefined, 'no such node');
  t.equal(
    partsOf(loaded, ['x'], ['last'], () => []),
    undefined,
    'no op waits',
  );
  loaded.dispose();
});
