import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import type { io } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import t from 'tap';
import { fileSystem } from './file_system.js';

const floatList = { type: { type: 'DT_FLOAT' } };

/** `out = x + offset`, offset float32 [3], in two shards whose boundary is within a number. */
function modelJson() {
  return {
    format: 'graph-model',
    generatedBy: 'a test',
    convertedBy: 'nobody',
    signature: { inputs: { x: { name: 'x:0' } } },
    userDefinedMetadata: { answer: 42 },
    modelTopology: {
      node: [
        {
          name: 'x',
          op: 'Placeholder',
          attr: { dtype: floatList.type, shape: { shape: { dim: [{ size: '3' }] } } },
        },
        { name: 'offset', op: 'Const', attr: { dtype: floatList.type } },
        { name: 'out', op: 'AddV2', input: ['x', 'offset'], attr: { T: floatList.type } },
      ],
      versions: {},
    },
    weightsManifest: [
      { paths: ['a.bin', 'b.bin'], weights: [{ name: 'offset', shape: [3], dtype: 'float32' }] },
    ],
  };
}

const offsets = Buffer.from(Float32Array.of(0.5, -2, 1e6).buffer);

function modelFolder(json: object = modelJson()) {
  return {
    'model.json': JSON.stringify(json),
    'a.bin': offsets.subarray(0, 5),
    'b.bin': offsets.subarray(5),
  };
}

t.before(async () => {
  await tf.setBackend('cpu');
});

t.test('stock tfjs loads a model folder and runs it', async (t) => {
  const dir = t.testdir(modelFolder());
  for (const path of [dir, join(dir, 'model.json')]) {
    const model = await loadGraphModel(fileSystem(path));
    const out = model.predict(tf.tensor1d([1, 2, 3])) as tf.Tensor;
    t.same([...(await out.data())], [1.5, 0, 1000003]);
    model.dispose();
  }
});

t.test('load passes everything through and reads exactly the weights', async (t) => {
  const dir = t.testdir(modelFolder());
  const artifacts = await fileSystem(dir).load!();
  const { modelTopology, weightsManifest, ...rest } = modelJson();
  t.match(artifacts, { ...rest, modelTopology, weightSpecs: weightsManifest[0].weights });
  t.type(artifacts.weightData, ArrayBuffer);
  t.same(Buffer.from(artifacts.weightData as ArrayBuffer), offsets);
});

t.test('groups and quantized weights follow one another', async (t) => {
  const json = modelJson();
  const weights = [
    { name: 'h', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'q', shape: [1], dtype: 'float32', quantization: { dtype: 'uint8', scale: 1, min: 0 } },
  ];
  const scalar = { name: 's', shape: [], dtype: 'int32' };
  Object.assign(json, {
    weightsManifest: [
      { paths: ['b.bin'], weights: [{ name: 'c', shape: [7], dtype: 'bool' }] },
      { paths: ['a.bin'], weights },
      { paths: ['s.bin'], weights: [scalar] },
    ],
  });
  const dir = t.testdir({ ...modelFolder(json), 's.bin': Buffer.of(9, 8, 7, 6) });
  const artifacts = await fileSystem(dir).load!();
  t.same(
    artifacts.weightSpecs?.map((spec) => spec.name),
    ['c', 'h', 'q', 's'],
  );
  t.same(
    Buffer.from(artifacts.weightData as ArrayBuffer),
    Buffer.concat([offsets.subarray(5), offsets.subarray(0, 5), Buffer.of(9, 8, 7, 6)]),
  );
});

t.test('what save writes, load reads', async (t) => {
  const root = t.testdir({ from: modelFolder(), full: { file: '' } });
  const model = await loadGraphModel(fileSystem(join(root, 'from')));
  const to = join(root, 'parent', 'to');
  const result = await model.save(fileSystem(to));
  t.equal(result.modelArtifactsInfo.weightDataBytes, 12);
  t.same(await fileSystem(to).load!(), await fileSystem(join(root, 'from')).load!());
  await t.rejects(model.save(fileSystem(to)), {
    message: `cannot write to "${to}": the directory exists and is not empty`,
  });
});

t.test('save splits large weights into shards', async (t) => {
  const dir = join(t.testdir({}), 'large');
  const weightData = new Uint8Array(9 * 2 ** 20).map((_, i) => i % 251).buffer;
  const weightSpecs: io.WeightsManifestEntry[] = [{ name: 'w', shape: [9, 2 ** 18], dtype: 'float32' }];
  const { modelTopology } = modelJson();
  await fileSystem(dir).save!({ modelTopology, weightSpecs, weightData });
  const { weightsManifest } = JSON.parse(readFileSync(join(dir, 'model.json'), 'utf8'));
  t.same(weightsManifest[0].paths, ['group1-shard1of3.bin', 'group1-shard2of3.bin', 'group1-shard3of3.bin']);
  const loaded = await fileSystem(dir).load!();
  t.ok(Buffer.compare(Buffer.from(loaded.weightData as ArrayBuffer), Buffer.from(weightData)) === 0);
  await t.rejects(fileSystem(join(dir, 'half')).save!({ modelTopology, weightSpecs }), {
    message: /declares 9437184 bytes of weights, there are 0/,
  });
});

t.test('a folder that is not a model is told in one line', async (t) => {
  const root = t.testdir({ empty: {}, file: '', text: { 'model.json': '{' }, list: { 'model.json': '[]' } });
  const fails = async (path: string, message: RegExp) => {
    await t.rejects(fileSystem(join(root, path)).load!(), { message });
  };
  await fails('missing', /^cannot open ".*missing": no such directory$/);
  await fails('file', /^cannot open ".*file": it is not a directory$/);
  await fails('empty', /^cannot open ".*empty.model\.json": no such file$/);
  await fails('text', /text.model\.json: not JSON$/);
  await fails('list', /list.model\.json: not a tfjs graph model$/);
});

t.test('JSON of other kinds is not a graph model', async (t) => {
  const dir = t.testdir(modelFolder());
  const weight = { name: 'offset', shape: [3], dtype: 'float32' };
  for (const change of [
    { format: 'layers-model' },
    { modelTopology: undefined },
    { modelTopology: { model_config: {} } },
    { weightsManifest: {} },
    { weightsManifest: [null] },
    { weightsManifest: [{ paths: [1], weights: [weight] }] },
    { weightsManifest: [{ paths: ['a.bin'], weights: [{ ...weight, shape: [-3] }] }] },
    { weightsManifest: [{ paths: ['a.bin'], weights: [{ ...weight, quantization: 'uint8' }] }] },
  ]) {
    writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), ...change }));
    await t.rejects(fileSystem(dir).load!(), { message: /not a tfjs graph model/ }, JSON.stringify(change));
  }
});

t.test('shards that do not fit are refused', async (t) => {
  const dir = t.testdir({ ...modelFolder(), folder: {} });
  const weight = { name: 'offset', shape: [3], dtype: 'float32' };
  for (const [paths, change, message] of [
    [['a.bin', 'missing.bin'], {}, /missing\.bin": no such file/],
    [['a.bin', 'folder'], {}, /folder": it is not a regular file/],
    [['a.bin'], {}, /model\.json: the manifest declares 12 bytes of weights, there are 5/],
    [['a.bin', 'b.bin'], { shape: [2 ** 52, 2 ** 52] }, /declares 8\.\d+e\+31 bytes/],
    [['a.bin', 'b.bin'], { shape: [2] }, /declares 8 bytes of weights, there are 12/],
    [['a.bin', 'b.bin'], { dtype: 'constructor' }, /weight "offset" has unknown dtype "constructor"/],
  ] as const) {
    const weightsManifest = [{ paths, weights: [{ ...weight, ...change }] }];
    writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), weightsManifest }));
    await t.rejects(fileSystem(dir).load!(), { message }, String(message));
  }
});

t.test('shard paths that leave the folder are refused even when the file is there', async (t) => {
  const root = t.testdir({ 'a.bin': offsets, model: { 'model.json': '' } });
  const dir = join(root, 'model');
  for (const path of [
    '../a.bin',
    join(root, 'a.bin'),
    'x/../../a.bin',
    '..\\a.bin',
    'C:\\a.bin',
    'C:a.bin',
    '',
  ]) {
    const weightsManifest = [{ ...modelJson().weightsManifest[0], paths: [path] }];
    writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), weightsManifest }));
    await t.rejects(fileSystem(dir).load!(), { message: /refused shard path/ }, path);
  }
});

t.test('a stream of weights, and the files beside a model', async (t) => {
  const dir = t.testdir(modelFolder());
  writeFileSync(join(dir, 'notes.json'), '{}');
  const handler = fileSystem(dir, { streamWeights: true });
  await tf.setBackend('cpu');
  const model = await loadGraphModel(handler);
  const out = model.predict(tf.tensor1d([1, 1, 1])) as tf.Tensor;
  t.same(Array.from(out.dataSync()), [1.5, -1, 1e6 + 1]);
  tf.dispose(out);
  model.dispose();
  t.equal(await handler.readText('notes.json'), '{}');
  t.equal(await handler.readText('none.json'), undefined);
  t.equal(await handler.readText('../../etc/passwd'), undefined, 'only what lies beside it');
  t.equal(await fileSystem(join(dir, 'none')).readText('notes.json'), undefined);
  await t.rejects(handler.readText('.'), { message: /": it is not a regular file/ });
});

t.test('what is not a regular file is told at once', async (t) => {
  for (const file of ['model.json', 'a.bin', 'decode.json']) {
    const dir = t.testdir({ ...modelFolder(), 'decode.json': '{}' });
    const path = join(dir, file);
    const load = (): Promise<unknown> =>
      file === 'decode.json' ? fileSystem(dir).readText(file) : fileSystem(dir).load!();
    const message = `cannot open "${path}": it is not a regular file`;
    rmSync(path);
    execFileSync('mkfifo', [path]);
    await t.rejects(load(), { message }, `a pipe as ${file}`);
    rmSync(path);
    symlinkSync('/dev/zero', path);
    await t.rejects(load(), { message }, `an endless device as ${file}`);
  }
});

t.test('files of absurd sizes are refused before they are read', async (t) => {
  const dir = t.testdir({ ...modelFolder(), 'tokenizer.json': '' });
  for (const file of ['model.json', 'tokenizer.json']) {
    truncateSync(join(dir, file), 2 ** 40);
    const load = (): Promise<unknown> =>
      file === 'model.json' ? fileSystem(dir).load!() : fileSystem(dir).readText(file);
    await t.rejects(load(), { message: /json": 1099511627776 bytes, expected at most 134217728/ });
  }
  const weight = (shape: number[], dtype: string) => ({ name: 'offset', shape, dtype });
  for (const [weights, message] of [
    [[weight([2 ** 31], 'string')], /declares at least 8589934592 bytes of weights, there are 12/],
    [[weight([2 ** 40], 'int32')], /declares 4398046511104 bytes of weights, expected at most/],
    [
      [weight(Array(40).fill(1), 'float32')],
      /weights\[0\].shape is an array of 40, expected an array of 0 to 16/,
    ],
    [[weight([3], 'float32'), weight([0], 'float32')], /weight "offset" is listed twice/],
  ] as const) {
    const weightsManifest = [{ paths: ['a.bin', 'b.bin'], weights }];
    writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), weightsManifest }));
    await t.rejects(fileSystem(dir).load!(), { message });
  }
  writeFileSync(join(dir, 'model.json'), '['.repeat(1e6));
  await t.rejects(fileSystem(dir).load!(), { message: /model.json: nested deeper than 64 levels/ });
});

t.test('graphs without a meaning are refused', async (t) => {
  const dir = t.testdir(modelFolder());
  const node = (name: string, op: string, ...input: unknown[]) => ({ name, op, input });
  const loop = [
    node('enter', 'Enter'),
    node('merge', 'Merge', 'enter', 'next'),
    node('next', 'NextIteration', 'merge'),
  ];
  for (const [nodes, message] of [
    [[node('a', 'Neg', 'b')], /node "a" of modelTopology.node reads "b", expected an output of a node/],
    [
      [node('a', 'Neg', 'b'), node('b', 'Neg', 'a')],
      /modelTopology.node has a cycle, through or before the node "a"/,
    ],
    [[node('a', 'Neg'), node('a', 'Neg')], /two nodes named "a"/],
    [[node('__proto__', 'Neg')], /has the name "__proto__"/],
    [[{ op: 'Neg' }], /node\[0\].name is undefined, expected a text/],
    [[{ name: 'a' }], /node\[0\].op is undefined/],
    [[node('a', 'Neg', 5)], /node\[0\].input\[0\] is 5, expected a text/],
    [[{ ...node('a', 'Neg'), attr: { T: null } }], /node\[0\].attr\["T"\] is null, expected an object/],
    [[{ ...node('a', 'Neg'), attr: { T: { shape: { dim: [null] } } } }], /dim\[0\] is null/],
    [[null], /node\[0\] is null, expected an object/],
  ] as const) {
    const modelTopology = { node: nodes, versions: {} };
    writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), modelTopology }));
    await t.rejects(fileSystem(dir).load!(), {
      message: new RegExp(`model.json: not a tfjs graph model: .*${message.source}`),
    });
  }
  const modelTopology = { node: loop, versions: {} };
  writeFileSync(join(dir, 'model.json'), JSON.stringify({ ...modelJson(), modelTopology }));
  await t.resolves(Promise.resolve(fileSystem(dir).load!()), 'loops of TensorFlow 1 stay');
});
