/** Where the weights of a checkpoint are and the prefix of their names: detected, given as options, or reported. */
import t from 'tap';
import { type GrootVSizes, grootVShapes, randomState, renamed } from '../testing/checkpoints.js';
import { bytesSource } from './byte_source.js';
import {
  type ArchitectureError,
  CheckpointError,
  type ConvertOptions,
  convertCheckpoint,
  inspectCheckpoint,
  MemorySink,
} from './index.js';
import { nearestName, withoutWrappers } from './names.js';
import {
  MadeGlobal,
  MadeObject,
  MadeOrderedDict,
  MadeTuple,
  madeDict,
  madeTensor,
  type Picklable,
  torchZipBytes,
} from './pytorch/testing/torch_writer.js';

type State = ReadonlyMap<string, Picklable>;

const SIZES: GrootVSizes = { channels: 8, depths: [1, 1], classes: 3 };
const STATE = randomState(grootVShapes(SIZES));
/** Other values under the same names. */
const OTHER = randomState(grootVShapes(SIZES), 2);
const BACKBONE = randomState(grootVShapes({ ...SIZES, classes: 0, convolutionHead: false }));

const dict = (state: State) => new MadeOrderedDict(state);
const prefixed = (prefix: string, state: State = STATE) => renamed(state, (name) => prefix + name);

const object = (module: string, name: string, attributes: Record<string, Picklable>) =>
  new MadeObject(new MadeGlobal(module, name), { state: madeDict(attributes) });

async function weightsOf(root: Picklable, options: ConvertOptions = {}) {
  const sink = new MemorySink();
  const inspection = await convertCheckpoint(await torchZipBytes(root), sink, options);
  const model = sink.artifacts() as { weightData: ArrayBuffer; weightSpecs: { name: string }[] };
  return {
    inspection,
    bytes: Buffer.from(model.weightData),
    names: model.weightSpecs.map(({ name }) => name),
  };
}

async function refusal(root: Picklable, options: ConvertOptions = {}, name?: string): Promise<Error> {
  const input = bytesSource(await torchZipBytes(root), name);
  return inspectCheckpoint(input, options).then(
    () => new Error('it was read'),
    (error: ArchitectureError) => error,
  );
}

t.test('prefixes, in any nesting and order, on all names or a part of them', async (t) => {
  const expected = await weightsOf(dict(STATE));
  const trunk = (name: string) => /^(patch_embed|levels)\./.test(name);
  const cases: Record<string, State> = {
    ...Object.fromEntries(
      ['module.', '_orig_mod.', 'module._orig_mod.', '_orig_mod.module.', 'model.', 'net.', 'encoder.']
        .concat(['backbone.', 'model.backbone.', 'module.model.encoder.', 'my_wrapper.inner.', 'network.'])
        .concat(['_forward_module.model._orig_mod.', '_fsdp_wrapped_module.'])
        .map((prefix) => [prefix, prefixed(prefix)]),
    ),
    'module. on the head alone': renamed(STATE, (name) => (trunk(name) ? name : `module.${name}`)),
    'backbone. on the trunk alone': renamed(STATE, (name) => (trunk(name) ? `backbone.${name}` : name)),
    'model.backbone. on the trunk, model. on the head': renamed(STATE, (name) =>
      trunk(name) ? `model.backbone.${name}` : `model.${name}`,
    ),
    'a wrapper within the network': renamed(STATE, (name) =>
      name.replace(
        /^levels\.(\d)\.blocks\.(\d)\./,
        'levels.$1._orig_mod.blocks.$2._checkpoint_wrapped_module.',
      ),
    ),
    'half of the stem': renamed(STATE, (name) => (name.startsWith('patch_embed') ? `encoder.${name}` : name)),
  };
  for (const [name, state] of Object.entries(cases)) {
    const { bytes, names } = await weightsOf(dict(state));
    t.same(names, expected.names, name);
    t.ok(bytes.equals(expected.bytes), name);
  }
  const { inspection } = await weightsOf(dict(prefixed('model.backbone.')));
  t.match(inspection, { prefix: 'model.backbone.', weightsUsed: 'bare', classes: 3 });
});

t.test('keys under which weights are saved', async (t) => {
  const expected = await weightsOf(dict(STATE));
  const keys = ['model', 'state_dict', 'model_state_dict', 'module', 'net', 'network', 'params', 'weights']
    .concat([
      'model_ema',
      'ema',
      'params_ema',
      'ema_state_dict',
      'state_dict_ema',
      'teacher',
      'student',
      'mine',
    ])
    .concat(['model_state', 'checkpoint', 'netG']);
  for (const key of keys) {
    const { inspection, bytes } = await weightsOf(madeDict({ epoch: 1, [key]: dict(STATE) }));
    t.equal(inspection.weightsUsed, key);
    t.ok(bytes.equals(expected.bytes), key);
  }
  const nested: [string, Picklable][] = [
    ['state_dict.model', madeDict({ state_dict: madeDict({ model: dict(STATE), step: 3 }) })],
    [
      'checkpoint.model_state_dict',
      madeDict({ checkpoint: madeDict({ model_state_dict: dict(prefixed('module.')) }) }),
    ],
    ['trainer.ema.module', madeDict({ trainer: madeDict({ ema: madeDict({ module: dict(STATE) }) }) })],
    ['0.model', [madeDict({ model: dict(STATE) }), 3]],
    ['7', new Map<Picklable, Picklable>([[7, dict(STATE)]])],
    // Attributes of objects, if there is nothing else.
    ['model', object('types', 'SimpleNamespace', { epoch: 3, model: dict(STATE) })],
    ['data', object('UserDict', 'IterableUserDict', { data: dict(STATE) })],
    ['run.best', madeDict({ run: object('train', 'State', { best: dict(STATE) }) })],
    [
      'weights',
      new MadeObject(new MadeGlobal('train', 'Slots'), {
        state: new MadeTuple(null, madeDict({ weights: dict(STATE) })),
      }),
    ],
  ];
  for (const [path, root] of nested) {
    const { inspection, bytes } = await weightsOf(root);
    t.equal(inspection.weightsUsed, path);
    t.ok(bytes.equals(expected.bytes), path);
  }
});

t.test('of several sets the trained one is taken, and equals are asked about', async (t) => {
  const expected = await weightsOf(dict(STATE));
  for (const [ema, root] of [
    ['params_ema', madeDict({ params_ema: dict(OTHER), params: dict(STATE) })],
    ['teacher', madeDict({ teacher: dict(OTHER), model: dict(STATE) })],
    ['state_dict_ema', madeDict({ state_dict_ema: dict(OTHER), state_dict: dict(STATE) })],
  ] as const) {
    const { inspection, bytes } = await weightsOf(root);
    t.ok(bytes.equals(expected.bytes), ema);
    t.match(
      inspection.ignored.find(({ name }) => name === ema),
      { reason: /another set of weights \(\d+ tensors\), chosen with the key/ },
    );
    const other = await weightsOf(root, { key: ema });
    t.equal(other.inspection.weightsUsed, ema);
    t.notOk(other.bytes.equals(expected.bytes), ema);
  }
  const helper = object('train', 'Average', { shadow: dict(OTHER) });
  const beside = await weightsOf(
    madeDict({ mine: dict(STATE), ema: madeDict({ module: dict(OTHER), decay: 1 }), helper }),
  );
  t.ok(beside.bytes.equals(expected.bytes), 'an average within a dict, another within an object');
  const keys = beside.inspection.ignored.map(({ name, reason }) => `${name}: ${reason}`).join('; ');
  t.match(keys, /ema: another set of weights \(\d+ tensors\), chosen with the key "ema\.module"/);
  t.match(keys, /helper: an object of class train\.Average, not part of the weights/);
  const averaged = new Map([...prefixed('model.'), ...prefixed('ema_model.', OTHER)]);
  t.ok((await weightsOf(dict(averaged))).bytes.equals(expected.bytes), 'an average beside it in one dict');
  const average = await weightsOf(dict(averaged), { weights: 'model_ema' });
  t.equal(average.inspection.prefix, 'ema_model.');

  const rivals = madeDict({ student: dict(STATE), teacher: dict(OTHER) });
  t.match(await refusal(rivals), {
    message: /holds 2 networks, choose one by .*key "student".*; key "teacher"/,
  });
  t.ok((await weightsOf(rivals, { key: 'student' })).bytes.equals(expected.bytes));
  const twice = dict(new Map([...prefixed('student.'), ...prefixed('teacher.', OTHER)]));
  t.match(await refusal(twice), { message: /holds 2 networks.*prefix "student\.".*prefix "teacher\."/ });
  t.ok(
    (await weightsOf(twice, { prefix: 'student' })).bytes.equals(expected.bytes),
    'a prefix without its dot',
  );
  t.ok((await weightsOf(twice, { prefix: 'student.' })).bytes.equals(expected.bytes));
  const both = dict(new Map([...STATE, ...prefixed('module.', OTHER)]));
  t.match(await refusal(both), { message: /holds 2 networks.*prefix "".*prefix "module\."/ });
  t.ok((await weightsOf(both, { prefix: '' })).bytes.equals(expected.bytes));
  const shared = dict(STATE);
  t.ok(await weightsOf(madeDict({ model: shared, net: shared })), 'one dict under two keys is not a choice');
});

t.test('the state of an optimiser is not weights', async (t) => {
  const moments = madeDict({ exp_avg: dict(OTHER) });
  const { inspection } = await weightsOf(madeDict({ optimizer: moments, model: dict(STATE) }));
  t.equal(inspection.weightsUsed, 'model');
  t.match(await refusal(madeDict({ optimizer: moments })), { code: 'weights-not-found' });
});

t.test('what was chosen by hand and is not there', async (t) => {
  const root = madeDict({ model: dict(prefixed('net.')), epoch: 3 });
  for (const [options, message] of [
    [{ key: 'ema' }, /no dict of tensors under the key "ema": the file holds "model", "epoch"/],
    [{ key: 'model.ema' }, /under the key "model\.ema"/],
    [
      { prefix: 'nat.' },
      /no patch_embed.* under the prefix "nat\." among its \d+ tensors of "model" \(net\./,
    ],
    [{ weights: 'model_ema' }, /has no weights "model_ema": the file holds "model", "epoch"/],
  ] as const) {
    t.match(await refusal(root, options), { message });
  }
  t.ok((await refusal(root, { key: 'ema' })) instanceof CheckpointError);
});

t.test('what lies beside a network is listed, and what belongs to training', async (t) => {
  const vector = madeTensor('float32', [2], Float32Array.of(1, 2));
  const extras: Record<string, RegExp> = {
    'decode_head.conv_seg.weight': /not part of GrootV/,
    'decode_head.head.weight': /not part of GrootV/,
    n_averaged: /moving average/,
    'backbone.total_ops': /profiler/,
    'backbone.levels.0.blocks.0.total_params': /profiler/,
    'backbone.levels.0._extra_state': /state beside its parameters/,
    'backbone.outnorm0.weight': /dense prediction/,
  };
  const state = new Map([...prefixed('backbone.', BACKBONE)]);
  for (const name of Object.keys(extras)) state.set(name, vector);
  const { inspection } = await weightsOf(dict(state));
  t.match(inspection, { classes: 0, convolutionHead: false, prefix: 'backbone.' });
  for (const [name, reason] of Object.entries(extras)) {
    const row = inspection.ignored.find((row) => row.name === name || name === `backbone.${row.name}`);
    t.match(row?.reason, reason, name);
  }
  const none = await weightsOf(
    dict(new Map<string, Picklable>([...BACKBONE, ['levels.0._extra_state', null]])),
  );
  t.match(none.inspection.ignored, [{ name: 'levels.0._extra_state', reason: 'None' }]);
});

t.test('a foreign head beside the trunk is not a head of it', async (t) => {
  const head = madeTensor('float32', [4, 2], new Float32Array(8));
  const state = new Map<string, Picklable>([...prefixed('backbone.', BACKBONE), ['head.weight', head]]);
  const { inspection } = await weightsOf(dict(state));
  t.equal(inspection.classes, 0);
  t.match(inspection.ignored, [{ name: 'head.weight' }]);
});

t.test('names that are missing, with those that may be meant', async (t) => {
  const without = (state: State, name: string) => new Map([...state].filter(([key]) => key !== name));
  const misspelt = renamed(STATE, (name) => name.replace('blocks.0.mlp.fc1.bias', 'blocks.0.mlp.fcl.bias'));
  t.match(await refusal(dict(misspelt)), {
    message:
      /missing: levels\.0\.blocks\.0\.mlp\.fc1\.bias \(the nearest that is there: levels\.0\.blocks\.0\.mlp\.fcl\.bias\)/,
  });
  const elsewhere = renamed(STATE, (name) => name.replace(/^head\.bias$/, 'classifier.head.bias'));
  t.match(await refusal(dict(elsewhere)), {
    message: /missing: head\.bias \(the nearest that is there: classifier\.head\.bias\)/,
  });
  const under = await refusal(dict(prefixed('a.b.', without(STATE, 'patch_embed.conv1.bias'))));
  t.match(under, {
    message: /the tensors under "a\.b\." do not make a GrootV .*1 missing: patch_embed\.conv1\.bias$/,
  });
  const foreign = new Map([['fc.weight', madeTensor('float32', [2, 2], new Float32Array(4))]]);
  t.match(await refusal(madeDict({ model: dict(foreign) })), {
    message:
      /this is not a GrootV checkpoint or .*: no patch_embed\.conv2\.weight and levels\.0\.blocks\.0\.\*, no .*, under any prefix, among its 1 tensors of "model" \(fc\.weight\)/,
  });
  t.equal(nearestName('a.b', ['x.y']), undefined);
});

t.test('weights that are not tensors are named, and what they are', async (t) => {
  const array = new MadeObject(new MadeGlobal('numpy', 'float64'), { args: [], call: false });
  const state = new Map<string, Picklable>([...STATE, ['module.levels.0.blocks.0.TreeSSM.A_logs', array]]);
  state.delete('levels.0.blocks.0.TreeSSM.A_logs');
  const { message } = await refusal(madeDict({ model: dict(state) }));
  t.match(
    message,
    /1 of the weights is not a dense tensor.*: levels\.0\.blocks\.0\.TreeSSM\.A_logs is an object of class/,
  );
});

t.test('a checkpoint that says to be of another model', async (t) => {
  const config = (type: string) =>
    madeDict({ model: dict(STATE), config: madeDict({ MODEL: madeDict({ TYPE: type }) }) });
  t.match(await refusal(config('resnet50')), { message: /config\.MODEL\.TYPE is "resnet50"/ });
  for (const type of ['grootv', 'GrootVL', 'mambatree_tiny']) t.ok(await weightsOf(config(type)), type);
  t.ok(await weightsOf(madeDict({ arch: 'mine', model: dict(STATE) })));
  t.match(await refusal(madeDict({ arch: 'uis-mamba', model: dict(STATE) })), {
    message: /one of UIS-Mamba/,
  });
});

t.test('wrappers are taken off where no two names become one', (t) => {
  const short = withoutWrappers(
    new Map([
      ['module.a', 1],
      ['a', 2],
      ['module.b._orig_mod.c', 3],
      ['modules.d', 4],
    ]),
  );
  t.same(
    [...short],
    [
      ['module.a', 1],
      ['a', 2],
      ['b.c', 3],
      ['modules.d', 4],
    ],
  );
  t.end();
});

t.test('many names and prefixes are read in little time', async (t) => {
  const vector = madeTensor('float32', [1], Float32Array.of(1));
  const state = new Map<string, Picklable>();
  for (let i = 0; i < 20_000; i++) state.set(`p${i}.levels.0.blocks.0.x`, vector);
  const start = process.cpuUsage().user;
  t.match((await refusal(dict(state))).message, /this is not a GrootV checkpoint/);
  t.ok(process.cpuUsage(undefined).user - start < 20e6, 'under 20 s of one core');
});
