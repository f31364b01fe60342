/** What is reported about unusual parts of a checkpoint: left out and listed, read nevertheless, or refused. */
import t from 'tap';
import { grootVShapes, randomState } from '../testing/checkpoints.js';
import { convertCheckpoint, inspectCheckpoint } from './convert.js';
import { MemorySink } from './graph/model_sink.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  MadeTensor,
  MadeTuple,
  madeDict,
  madeTensor,
  type Picklable,
  torchZipBytes,
} from './pytorch/testing/torch_writer.js';

const SIZES = { channels: 8, depths: [1, 1], classes: 10 };
const NAME = 'levels.0.blocks.0.mlp.fc1.weight';
const SHAPE = new MadeTuple(32, 8);

const utils = (name: string, ...args: readonly Picklable[]): MadeObject =>
  new MadeObject(new MadeGlobal('torch._utils', name), { args, call: true });

/** A checkpoint of a small network with one weight replaced. */
function checkpointWith(
  value?: Picklable,
  beside: Readonly<Record<string, Picklable>> = {},
): Promise<Uint8Array> {
  const entries = new Map<Picklable, Picklable>(randomState(grootVShapes(SIZES)));
  if (value !== undefined) entries.set(NAME, value);
  return torchZipBytes(madeDict({ model: new MadeOrderedDict(entries), ...beside }));
}

t.test('weights that are not plain tensors: the error names them and the reason', async (t) => {
  const plain = madeTensor('float32', [32, 8], new Float32Array(256));
  const meta = utils(
    '_rebuild_meta_tensor_no_storage',
    new MadeGlobal('torch', 'float32'),
    SHAPE,
    SHAPE,
    false,
  );
  const cases: readonly (readonly [what: string, value: Picklable, reason: RegExp])[] = [
    ['meta', meta, /is on the meta device/],
    ['quantised', utils('_rebuild_qtensor', plain, 0, SHAPE, new MadeTuple(8, 1), null), /is quantised/],
    ['complex', madeTensor('complex64', [32, 8], new Float32Array(512)), /is of type complex64/],
    ['conjugate', new MadeTensor(plain.storage, [32, 8], [8, 1], 0, new Map([['conj', true]])), /"conj"/],
    ['a list', [[1, 2]], /is a list/],
    ['None', null, /is None/],
    ['an object', new MadeObject(new MadeGlobal('project', 'Weight')), /project\.Weight/],
  ];
  for (const [what, value, reason] of cases) {
    const bytes = await checkpointWith(value);
    const message = new RegExp(`${NAME.replaceAll('.', '\\.')}.*${reason.source}`);
    await t.rejects(inspectCheckpoint(bytes), { message }, what);
    const sink = new MemorySink();
    await t.rejects(convertCheckpoint(bytes, sink), { message }, `${what}: converted`);
    t.equal(sink.files.size, 0);
  }
  const beside = await inspectCheckpoint(await checkpointWith(undefined, { lost: meta }));
  t.ok(
    beside.ignored.some(({ name }) => name === 'lost'),
    'what the network does not need is only listed',
  );
});

t.test('a pickled module object is called that', async (t) => {
  const state = madeDict({ training: false, _parameters: new Map(), _modules: new Map() });
  const net = new MadeObject(new MadeGlobal('__main__', 'Net'), { state });
  for (const root of [net, madeDict({ model: net, epoch: 1 })]) {
    await t.rejects(inspectCheckpoint(await torchZipBytes(root)), {
      code: 'weights-not-found',
      message: /pickled module object of class __main__\.Net.*save model\.state_dict\(\)/,
    });
  }
});

t.test('what is not used stands in the report', async (t) => {
  const partial = new MadeObject(new MadeGlobal('functools', 'partial'), {
    args: [new MadeGlobal('torch.nn.functional', 'gelu')],
    call: true,
  });
  const bytes = await checkpointWith(undefined, { activation: partial });
  const { ignored, tensors } = await inspectCheckpoint(new Uint8Array([...bytes, 1, 2, 3]));
  t.equal(tensors, grootVShapes(SIZES).size);
  const names = ignored.map(({ name }) => name);
  for (const name of ['3 bytes', 'activation', 'functools.partial (1)', 'torch.nn.functional.gelu (1)']) {
    t.ok(names.includes(name), name);
  }
});

t.test("torch's negative bit changes the converted weights", async (t) => {
  const values = Float32Array.from({ length: 256 }, (_, i) => i + 1);
  const { storage } = madeTensor('float32', [32, 8], values);
  const written: Float32Array[] = [];
  for (const neg of [false, true]) {
    const sink = new MemorySink();
    const metadata = new Map([['neg', neg]]);
    await convertCheckpoint(
      await checkpointWith(new MadeTensor(storage, [32, 8], [8, 1], 0, metadata)),
      sink,
    );
    const { weightData } = sink.artifacts();
    written.push(new Float32Array(weightData));
  }
  const [plain, negative] = written;
  const differing = [...plain.keys()].filter((i) => plain[i] !== negative[i]);
  t.equal(differing.length, 256);
  t.ok(differing.every((i) => negative[i] === -plain[i]));
});
