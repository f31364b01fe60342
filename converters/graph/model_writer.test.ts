/** What the writer refuses: models much larger than their checkpoint, and values that a quantised type cannot represent. */
import t from 'tap';
import { type GrootVSizes, grootVShapes } from '../../testing/checkpoints.js';
import { convertCheckpoint } from '../convert.js';
import { CheckpointError } from '../pytorch/errors.js';
import {
  MadeOrderedDict,
  MadeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from '../pytorch/testing/torch_writer.js';
import { GraphBuilder } from './graph_builder.js';
import { MemorySink } from './model_sink.js';
import { type WriteOptions, writeModel } from './model_writer.js';
import { QUANTIZATIONS, type Quantization } from './quantize.js';

function write(values: ArrayLike<number>, options: WriteOptions): Promise<unknown> {
  const graph = new GraphBuilder();
  const weight = { shape: [values.length], dtype: 'float32', quantizable: true } as const;
  graph.constant('layer.weight', { ...weight, read: async () => Float32Array.from(values) });
  return writeModel(graph, new MemorySink(), options);
}

t.test('values that a quantised type cannot hold', async (t) => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  const cases: readonly (readonly [quantize: Quantization, values: readonly number[], accepted: boolean])[] =
    [
      ['uint8', [1, nan], false],
      ['uint8', [nan, nan], false],
      ['uint8', [1, infinity], false],
      ['uint16', [-infinity, infinity], false],
      ['uint16', [infinity], false],
      ['float16', [1, 65_520], false],
      ['float16', [-1e9], false],
      ['float16', [65_504, -65_519], true],
      ['float16', [nan, infinity], true],
      ['none', [nan, infinity, 1e30], true],
      ...QUANTIZATIONS.map((quantize) => [quantize, [], true] as const),
      ...QUANTIZATIONS.map((quantize) => [quantize, [0, 3], true] as const),
    ];
  for (const [quantize, values, accepted] of cases) {
    const what = `${quantize} of ${values.join(', ') || 'nothing'}`;
    const written = write(values, { quantize });
    if (accepted) {
      await t.resolves(written, what);
      continue;
    }
    const error = await written.catch((reason: unknown) => reason);
    t.ok(error instanceof CheckpointError && error.code === 'values', `${what}: a typed error`);
    t.match(error, { message: /"layer\.weight"/ }, `${what}: names the tensor`);
  }
});

t.test('the size of a model', async (t) => {
  const MB = 1e6;
  const zeros = (bytes: number) => new Float32Array(bytes / 4);
  const cases: readonly (readonly [what: string, bytes: number, options: WriteOptions, accepted: boolean])[] =
    [
      ['small', 4 * MB, { sourceBytes: 1000 }, true],
      ['four times the checkpoint', 20 * MB, { sourceBytes: 5 * MB }, true],
      ['more than that', 20 * MB + 4, { sourceBytes: 5 * MB }, false],
      ['more than that, quantised', 20 * MB + 4, { sourceBytes: 5 * MB, quantize: 'uint8' }, true],
      ['as allowed', 20 * MB, { sourceBytes: 1000, maxBytes: 20 * MB }, true],
      ['more than allowed', 4 * MB, { sourceBytes: 4 * MB, maxBytes: 3 * MB }, false],
    ];
  for (const [what, bytes, options, accepted] of cases) {
    const written = write(zeros(bytes), options);
    if (accepted) await t.resolves(written, what);
    else await t.rejects(written, { name: 'CheckpointError', code: 'limit', message: /maxBytes/ }, what);
  }
});

t.test('a small checkpoint of repeated values', async (t) => {
  // All tensors take their values from one storage, as large as the largest tensor.
  const sizes: GrootVSizes = { channels: 64, depths: [2, 2, 2, 2], classes: 10 };
  const shapes = grootVShapes(sizes);
  const elementsOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);
  const elements = Math.max(...[...shapes.values()].map(elementsOf));
  const storage = { dtype: 'float32', elements, bytes: new Uint8Array(4 * elements) } as const;
  const number = { dtype: 'float32', elements: 1, bytes: new Uint8Array(4) } as const;
  const tensors = {
    shared: (shape: readonly number[]) => new MadeTensor(storage, shape),
    expanded: (shape: readonly number[]) => {
      const small = elementsOf(shape) <= 1 << 20;
      return small
        ? new MadeTensor(number, shape, new Array(shape.length).fill(0))
        : new MadeTensor(storage, shape);
    },
  };
  for (const [what, tensor] of Object.entries(tensors)) {
    const entries = [...shapes].map(([name, shape]): [Picklable, Picklable] => [name, tensor(shape)]);
    const root = new MadeOrderedDict(new Map(entries));
    for (const bytes of [await torchZipBytes(root), torchLegacyBytes(root)]) {
      const sink = new MemorySink();
      const refused = convertCheckpoint(bytes, sink);
      await t.rejects(refused, { code: 'limit', message: /repeat stored values.*--max-size/ }, what);
      t.equal(sink.files.size, 0, `${what}: nothing was written`);
    }
  }
  const entries = [...shapes].map(([name, shape]): [Picklable, Picklable] => [name, tensors.shared(shape)]);
  const bytes = await torchZipBytes(new MadeOrderedDict(new Map(entries)));
  await t.resolves(convertCheckpoint(bytes, new MemorySink(), { maxBytes: 2 ** 30 }), 'unless it is allowed');
});
