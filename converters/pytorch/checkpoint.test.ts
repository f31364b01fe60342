// Reads the reference checkpoints and compares them with each other.

import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { blobSource, bytesSource } from '../byte_source.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { CheckpointError } from './errors.js';
import {
  leftOutBeside,
  readConfigNumber,
  type StateDict,
  stateDicts,
  type WeightsChoice,
} from './state_dict.js';
import { fixtureBytes } from './testing/fixtures.js';

interface Opened {
  readonly checkpoint: Checkpoint;
  readonly state: StateDict;
  readonly bytes: Uint8Array;
}

/** Opens a fixture, or skips the test with the reason. */
async function open(t: Test, name: string, choice?: WeightsChoice): Promise<Opened | undefined> {
  const bytes = fixtureBytes(name);
  if (bytes === undefined) {
    t.pass(name, { skip: `the fixture ${name} is not in this checkout` });
    return undefined;
  }
  const checkpoint = await openCheckpoint(bytesSource(bytes, name));
  return { checkpoint, state: stateDicts(checkpoint, choice)[0], bytes };
}

type Entries = Pick<StateDict, 'entries'>;

async function sameBits(t: Test, a: Entries, b: Entries, names: Iterable<string>): Promise<void> {
  for (const name of names) {
    const [left, right] = [a.entries.get(name), b.entries.get(name)];
    if (left === undefined || right === undefined) {
      t.fail(`${name} is missing in one of the two`);
      continue;
    }
    const bits = [await left.read(), await right.read()].map((v) => new Uint8Array(v.buffer));
    const same = left.dtype === right.dtype && left.shape.join() === right.shape.join();
    if (!same || Buffer.compare(bits[0], bits[1]) !== 0) t.fail(`${name} differs`);
  }
  t.pass('compared');
}

t.test('zip, bare state dict', async (t) => {
  const opened = await open(t, 'grootv/grootv_tiny_layerscale.pth');
  if (opened === undefined) return;
  const { checkpoint, state, bytes } = opened;
  t.equal(checkpoint.format, 'zip');
  t.equal(checkpoint.size, bytes.byteLength);
  t.equal(checkpoint.sha256, createHash('sha256').update(bytes).digest('hex'));
  t.equal(checkpoint.metadata.get('version'), '3');
  t.same(checkpoint.inertGlobals, []);
  t.equal(state.path, '');
  t.equal(state.entries.size, 121);
  t.same(leftOutBeside(checkpoint, state), []);
  const conv = state.entries.get('patch_embed.conv1.weight');
  t.same([conv?.dtype, conv?.shape, conv?.strides], ['float32', [4, 3, 3, 3], [27, 9, 3, 1]]);
  // First values as Python's struct reads them from data/0.
  t.same(
    (await conv?.readFloat32())?.slice(0, 2),
    new Float32Array([-0.13508391380310059, -0.005175701808184385]),
  );
  const counter = [...state.entries].find(([name]) => name.endsWith('num_batches_tracked'))?.[1];
  t.ok((await counter?.read()) instanceof BigInt64Array, 'int64 scalars');
  t.same(counter?.shape, []);
});

t.test('legacy equals the zip of the same weights, bit for bit', async (t) => {
  const module = await open(t, 'grootv/grootv_tiny_module.pth');
  const legacy = await open(t, 'grootv/grootv_tiny_legacy.pth');
  if (module === undefined || legacy === undefined) return;
  t.equal(legacy.checkpoint.format, 'legacy');
  t.equal(module.state.path, 'state_dict');
  t.equal(module.state.entries.get('module.patch_embed.conv1.weight')?.storage.location, 'cuda:0');
  const plain = new Map(
    [...module.state.entries].map(([name, tensor]) => [name.replace('module.', ''), tensor]),
  );
  t.same([...plain.keys()], [...legacy.state.entries.keys()]);
  await sameBits(t, { entries: plain }, legacy.state, legacy.state.entries.keys());
});

t.test('half precision', async (t) => {
  for (const [name, dtype] of [
    ['fp16', 'float16'],
    ['bf16', 'bfloat16'],
  ]) {
    const opened = await open(t, `grootv/grootv_tiny_${name}.pth`);
    if (opened === undefined) continue;
    const conv = opened.state.entries.get('patch_embed.conv1.weight');
    t.equal(conv?.dtype, dtype);
    const stored = await conv?.read();
    const wide = await conv?.readFloat32();
    t.ok(stored instanceof Uint16Array);
    // As Python's struct ('e', or the upper half of 'f') reads them.
    const expected =
      name === 'fp16' ? [-0.1571044921875, -0.0079345703125] : [0.0267333984375, -0.1904296875];
    t.same([...(wide ?? [])].slice(0, 2), expected);
  }
});

t.test('a whole training checkpoint', async (t) => {
  const opened = await open(t, 'grootv/grootv_nano_mnist.pth');
  if (opened === undefined) return;
  const { checkpoint, state } = opened;
  t.same(checkpoint.inertGlobals, ['yacs.config.CfgNode (10)']);
  t.equal(state.path, 'model');
  t.equal(state.entries.size, 133);
  const ignored = new Map(leftOutBeside(checkpoint, state).map(({ name, reason }) => [name, reason]));
  t.match(ignored.get('model_ema'), /another set of weights \(133 tensors\)/);
  t.match(ignored.get('optimizer'), /optimizer/);
  t.same(
    [...ignored.keys()].sort(),
    'amp|config|ema_decay|epoch|lr_scheduler|max_accuracy|max_accuracy_ema|model_ema|optimizer|yacs.config.CfgNode (10)'.split(
      '|',
    ),
  );
  const [, ema, ...more] = stateDicts(checkpoint);
  t.equal(ema.path, 'model_ema');
  t.equal(ema.set, 'model_ema');
  t.same(more, []);
  t.equal(stateDicts(checkpoint, { key: 'model_ema' })[0].entries.size, 133);
  t.same([...ema.entries.keys()], [...state.entries.keys()]);
  t.equal(readConfigNumber(checkpoint, ['config', 'DATA', 'IMG_SIZE']), 64);
  t.equal(readConfigNumber(checkpoint, ['config', 'MODEL', 'NUM_CLASSES']), 10);
  t.equal(readConfigNumber(checkpoint, ['config', 'DATA', 'DATASET']), undefined, 'a text');
  t.equal(readConfigNumber(checkpoint, ['config', 'NONE', '__proto__', 'constructor']), undefined);
});

t.test('asking for a key that is not there', async (t) => {
  for (const [name, held] of [
    [
      'grootv/grootv_tiny_layerscale.pth',
      /no dict of tensors under the key "model.x": the file holds "patch_embed/,
    ],
    ['grootv/grootv_tiny_module.pth', /"state_dict"/],
  ] as const) {
    const opened = await open(t, name);
    if (opened === undefined) continue;
    const error = t.throws(() => stateDicts(opened.checkpoint, { key: 'model.x' }), CheckpointError);
    t.match(error, { code: 'weights-not-found', message: held });
  }
});

t.test('.bin equals .safetensors, bit for bit', async (t) => {
  for (const [folder, bin, safe] of [
    ['grootl_tiny', 'pytorch_model.bin', 'model.safetensors'],
    ['grootl_tiny_lora', 'adapter_model.bin', 'adapter_model.safetensors'],
  ]) {
    const left = await open(t, `grootl/${folder}/${bin}`);
    const right = await open(t, `grootl/${folder}/${safe}`);
    if (left === undefined || right === undefined) continue;
    t.equal(right.checkpoint.format, 'safetensors');
    t.equal(right.checkpoint.metadata.get('format'), 'pt');
    await sameBits(t, left.state, right.state, right.state.entries.keys());
    const only = [...left.state.entries.keys()].filter((name) => !right.state.entries.has(name));
    if (folder === 'grootl_tiny') {
      t.same(only, ['lm_head.weight'], 'safetensors leaves the tied weight out');
      const tied = ['lm_head.weight', 'backbone.embeddings.weight'].map((name) =>
        left.state.entries.get(name),
      );
      t.equal(tied[0]?.storage, tied[1]?.storage, 'one storage for both');
    }
  }
});

t.test('sharded safetensors hold the same weights', async (t) => {
  const whole = await open(t, 'grootl/grootl_tiny/model.safetensors');
  let tensors = 0;
  for (const shard of [1, 2, 3]) {
    const part = await open(t, `grootl/grootl_tiny/sharded/model-0000${shard}-of-00003.safetensors`);
    if (whole === undefined || part === undefined) return;
    await sameBits(t, whole.state, part.state, part.state.entries.keys());
    tensors += part.state.entries.size;
  }
  t.equal(tensors, whole?.state.entries.size);
});

t.test('a Blob gives what bytes give; progress and abort', async (t) => {
  const opened = await open(t, 'grootv/grootv_nano_mnist.pth');
  if (opened === undefined) return;
  const seen: number[][] = [];
  const source = blobSource(new Blob([opened.bytes as Uint8Array<ArrayBuffer>]), 'blob.pth');
  const checkpoint = await openCheckpoint(source, { onProgress: (done, total) => seen.push([done, total]) });
  t.equal(checkpoint.sha256, opened.checkpoint.sha256);
  await sameBits(t, stateDicts(checkpoint)[0], opened.state, opened.state.entries.keys());
  t.same(seen.at(-1), [opened.bytes.byteLength, opened.bytes.byteLength]);
  t.same(
    seen.map(([done]) => done),
    seen.map(([done]) => done).sort((a, b) => a - b),
  );
  const stop = new AbortController();
  const reading = openCheckpoint(source, {
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('enough')),
  });
  await t.rejects(reading, { code: 'aborted', name: 'CheckpointError' });
});
