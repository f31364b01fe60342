/** HuggingFace folders in all layouts, and invalid ones. */
import t from 'tap';
import { encodeSafetensors, type SafetensorsTensor } from '../../plugin/models/safetensors_writer.js';
import { toFloat16 } from '../../plugin/rounding.js';
import { ArchitectureError, bytesSource, filesDirectory, inspectCheckpoint } from '../index.js';
import {
  MadeOrderedDict,
  type MadeTensor,
  madeTensor,
  torchZipBytes,
} from '../pytorch/testing/torch_writer.js';
import {
  config,
  constant,
  converted,
  EMBEDDINGS,
  type Files,
  filesOf,
  float32,
  folder,
  json,
  state,
  TINY,
  tensors,
  weightsOf,
} from './testing/folders.js';

t.test('one file, torch.save with a tied head, shards: the same model', async (t) => {
  const plain = Buffer.from((await converted(filesOf(TINY))).artifacts().weightData);
  const made = new Map<string, MadeTensor>();
  for (const name of tensors.names()) {
    const { shape, values } = tensors.tensor(name);
    made.set(name, madeTensor('float32', shape, values));
  }
  made.set('lm_head.weight', made.get(EMBEDDINGS) as MadeTensor); // one storage under two names
  const saved: Files = new Map([
    ['config.json', json(config)],
    ['pytorch_model.bin', await torchZipBytes(new MadeOrderedDict(made))],
  ]);
  t.same(Buffer.from((await converted(saved)).artifacts().weightData), plain);
  const { ignored, outputBytes } = await inspectCheckpoint(filesDirectory(saved));
  t.match(ignored, [{ name: 'lm_head.weight', reason: /tied/ }]);
  t.equal(outputBytes, plain.byteLength, 'the bytes of the conversion are known before');

  const all = state();
  const [a, b] = [all.slice(0, 9), all.slice(9)];
  const map = Object.fromEntries([
    ...a.map(({ name }) => [name, 'a.bin']),
    ...b.map(({ name }) => [name, 'b.bin']),
  ]);
  const sharded: Files = new Map([
    ['config.json', json(config)],
    ['a.bin', encodeSafetensors(a)],
    ['b.bin', encodeSafetensors(b)],
    ['pytorch_model.bin.index.json', json({ weight_map: map })],
  ]);
  t.same(Buffer.from((await converted(sharded)).artifacts().weightData), plain);
  for (const [file, message] of [
    ['../a.bin', /names "..\/a.bin", which is not a file of its folder/],
    ['c.bin', /has no file c.bin/],
    ['b.bin', /lists "backbone.embeddings.weight" in b.bin, which has no such tensor/],
  ] as const) {
    const index = json({ weight_map: { ...map, [EMBEDDINGS]: file } });
    await t.rejects(converted(new Map([...sharded, ['pytorch_model.bin.index.json', index]])), { message });
  }
  const empty = new Map([...sharded, ['pytorch_model.bin.index.json', json({})]]);
  await t.rejects(converted(empty), { message: /names 0 weight files/ });
});

t.test('float16, bfloat16, an untied head, another vocabulary, biases', async (t) => {
  const { shape, values } = tensors.tensor(EMBEDDINGS);
  const half: SafetensorsTensor = {
    name: EMBEDDINGS,
    dtype: 'F16',
    shape,
    data: Uint16Array.from(values as Float32Array, toFloat16),
  };
  const brain: SafetensorsTensor = {
    name: EMBEDDINGS,
    dtype: 'BF16',
    shape,
    data: Uint16Array.from(new Uint32Array((values as Float32Array).slice().buffer), (bits) => bits >>> 16),
  };
  for (const [tensor, bound] of [
    [half, 1e-3],
    [brain, 8e-3],
  ] as const) {
    const embeddings = constant(await converted(folder(state({ [EMBEDDINGS]: tensor }))), EMBEDDINGS);
    t.ok(
      embeddings.every((value, i) => Math.abs(value - values[i]) <= bound * Math.abs(values[i]) + 1e-7),
      tensor.dtype,
    );
  }

  const head = float32('lm_head.weight', [1024, 64]);
  const untied = await converted(folder(state({ 'lm_head.weight': head }), { tie_word_embeddings: false }));
  t.same(constant(untied, 'lm_head.weight'), head.data);
  const resized = state({ [EMBEDDINGS]: float32(EMBEDDINGS, [1031, 64]) });
  t.equal((await inspectCheckpoint(filesDirectory(folder(resized, { vocab_size: 1031 })))).classes, 1031);
  const biases = [0, 1, 2].flatMap((layer) => [
    float32(`backbone.layers.${layer}.mixer.in_proj.bias`, [256]),
    float32(`backbone.layers.${layer}.mixer.out_proj.bias`, [64]),
  ]);
  const more = Object.fromEntries(biases.map((bias) => [bias.name, bias]));
  t.ok(await converted(folder(state(more), { use_bias: true })));
  const plain = [0, 1, 2].map((layer) => [`backbone.layers.${layer}.mixer.conv1d.bias`, null]);
  t.ok(await converted(folder(state(Object.fromEntries(plain)), { use_conv_bias: false })));
});

t.test('what is not a Mamba model, or contradicts itself, is refused in one line', async (t) => {
  const cases: [name: string, files: Files, message: RegExp][] = [
    ['no config.json', new Map([['model.safetensors', encodeSafetensors(state())]]), /has no config.json/],
    ['no weights', new Map([['config.json', json(config)]]), /has no weights: expected model.safetensors/],
    ['another model', folder(state(), { model_type: 'llama' }), /a model of type "llama", expected "mamba"/],
    ['another activation', folder(state(), { hidden_act: 'relu' }), /activation "relu", expected "silu"/],
    ['layers', folder(state(), { num_hidden_layers: 4 }), /num_hidden_layers is 4, the weights have 3/],
    ['sizes', folder(state(), { hidden_size: 32, state_size: 8 }), /hidden_size is 32.*; state_size is 8/],
    ['vocabulary', folder(state(), { vocab_size: 1000 }), /vocab_size is 1000, the weights have 1024/],
    ['a half', folder(state(), { hidden_size: 1.5 }), /hidden_size 1.5, expected an integer/],
    ['a text', folder(state(), { state_size: 'x' }), /state_size "x", expected a number above 0/],
    ['a flag', folder(state(), { use_bias: 'yes' }), /use_bias "yes", expected true or false/],
    ['no head', folder(state(), { tie_word_embeddings: false }), /1 missing: lm_head.weight/],
    [
      'a part missing',
      folder(state({ 'backbone.norm_f.weight': null })),
      /1 missing: backbone.norm_f.weight/,
    ],
    [
      'a stranger in a layer',
      folder(state({ x: float32('backbone.layers.0.mixer.x', [2]) })),
      /1 unexpected: backbone.layers.0.mixer.x/,
    ],
    ['quantised', folder(state(), { quantization_config: { bits: 4 } }), /quantised weights/],
    ['deep', folder(state(), { model_type: JSON.parse('['.repeat(60) + ']'.repeat(60)) }), /type a list/],
    [
      'a wrong shape',
      folder(state({ 'backbone.layers.1.mixer.D': float32('backbone.layers.1.mixer.D', [64]) })),
      /1 of the wrong shape: backbone.layers.1.mixer.D is \[64\], expected \[128\]/,
    ],
    [
      'other tensors',
      folder([float32('weight', [2, 2])]),
      /this is not a Mamba model: .* among its 1 tensors \(weight\)/,
    ],
    [
      'broken',
      new Map([['config.json', new TextEncoder().encode('{')]]),
      /config.json of folder is not JSON/,
    ],
    ['a list', new Map([['config.json', json([])]]), /holds no JSON object/],
    [
      'nested without bound',
      new Map([
        ['config.json', new TextEncoder().encode(`{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)],
      ]),
      /config.json of folder has more than 64 levels of nesting/,
    ],
    [
      'a pointer',
      new Map([['config.json', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1')]]),
      /config.json of folder is a git-lfs pointer/,
    ],
  ];
  for (const [name, files, message] of cases) {
    const error = await converted(files).catch((error) => error);
    t.ok(error instanceof ArchitectureError, name);
    t.match(error.message, message);
    t.notMatch(error.message, /\n/);
  }
});

const saved = (weights: readonly SafetensorsTensor[], name: (name: string) => string) =>
  folder(weights.map((tensor) => ({ ...tensor, name: name(tensor.name) })));

t.test('names of other layouts and wrappers give the same model', async (t) => {
  const expected = await weightsOf(folder(state()));
  const head: SafetensorsTensor = {
    ...(state().find(({ name }) => name === EMBEDDINGS) as SafetensorsTensor),
  };
  const original = {
    ...{ d_model: 64, n_layer: 3, vocab_size: 1020, ssm_cfg: { layer: 'Mamba1' }, rms_norm: true },
    ...{ residual_in_fp32: true, fused_add_norm: true, pad_vocab_size_multiple: 8, tie_embeddings: true },
  };
  const oldNames = state().map((each) => ({ ...each, name: each.name.replace('embeddings', 'embedding') }));
  const withHead = [...oldNames, { ...head, name: 'lm_head.weight' }];
  const originalFolder: Files = new Map([
    ['config.json', json(original)],
    ['model.safetensors', encodeSafetensors(withHead)],
  ]);
  const cases: Record<string, Files> = {
    'the original layout': originalFolder,
    'the original name of the embeddings': folder(withHead),
    'no backbone': saved(state(), (name) => name.replace('backbone.', '')),
    'model.': saved(state(), (name) => `model.${name}`),
    '_orig_mod.': saved(state(), (name) => `_orig_mod.${name}`),
    'module._orig_mod. without backbone': saved(state(), (name) => `module._orig_mod.${name.slice(9)}`),
    'only the head of tied weights': saved(state(), (name) =>
      name === EMBEDDINGS ? 'lm_head.weight' : name,
    ),
    'inside PEFT': saved(state(), (name) => `base_model.model.${name}`),
    'inside PEFT, layers wrapped': saved(state(), (name) =>
      `base_model.model.${name}`.replace(/(in_proj|embeddings)\.weight/, '$1.base_layer.weight'),
    ),
  };
  for (const [name, files] of Object.entries(cases)) t.ok((await weightsOf(files)).equals(expected), name);
  t.equal((await inspectCheckpoint(filesDirectory(originalFolder))).classes, 1024, 'rows are padded');
  for (const [change, message] of [
    [{ n_layer: 4 }, /n_layer is 4, the weights have 3/],
    [{ ssm_cfg: { layer: 'Mamba2' } }, /layers of type "Mamba2", expected "Mamba1"/],
    [{ attn_layer_idx: [1] }, /attn_layer_idx a list/],
    [{ rms_norm: false }, /rms_norm false/],
    [{ ssm_cfg: { d_state: 8 } }, /d_state is 8, the weights have 16/],
  ] as const) {
    const files = new Map([...originalFolder, ['config.json', json({ ...original, ...change })]]);
    await t.rejects(converted(files), { message });
  }
  const untied = folder(state({ [EMBEDDINGS]: null }));
  await t.rejects(converted(untied), { message: /this is not a Mamba model/ });
  const two = [...state(), ...state().map((each) => ({ ...each, name: `student.${each.name}` }))];
  await t.rejects(converted(folder(two)), {
    message: /hold 2 networks, choose one by its prefix: "backbone\.", "student/,
  });
});

t.test('what lies beside the weights is listed, in the file and in the folder', async (t) => {
  const files: Files = new Map([
    ...folder([...state(), float32('score.weight', [2, 64])]),
    ['README.md', new Uint8Array(1)],
    ['pytorch_model.bin', new Uint8Array(1)],
    ['adapter_model.safetensors', new Uint8Array(1)],
    ['trainable_params.bin', new Uint8Array(1)],
    ['checkpoint-500/model.safetensors', encodeSafetensors([])],
    ['checkpoint-500/config.json', json({ model_type: 'llama' })],
  ]);
  const { ignored } = await inspectCheckpoint(filesDirectory(files));
  for (const [name, reason] of [
    ['score.weight', /not part of Mamba/],
    ['README.md', /does not need/],
    ['pytorch_model.bin', /other weights, not used/],
    ['adapter_model.safetensors', /merged only when its folder is given/],
    ['trainable_params.bin', /used only when the folder of the adapter is given/],
    ['checkpoint-500/', /a sub-folder, not looked into/],
    ['tokenizer.json', /token ids/],
  ] as const) {
    t.match(ignored.find((row) => row.name === name)?.reason, reason, name);
  }
});

t.test('files that a page picked: those of the folder itself', async (t) => {
  const picked = (path: string, bytes: Uint8Array) =>
    Object.defineProperty(new File([bytes.slice()], path.split('/').at(-1) as string), 'webkitRelativePath', {
      value: path,
    });
  const [weights, configuration] = [encodeSafetensors(state()), json(config)];
  const root = [picked('m/config.json', configuration), picked('m/model.safetensors', weights)];
  const below = [
    picked('m/old/config.json', json({ model_type: 'llama' })),
    picked('m/old/model.safetensors', json({})),
  ];
  for (const files of [
    [...root, ...below],
    [...below, ...root],
  ]) {
    t.equal((await inspectCheckpoint(filesDirectory(files))).channels, 64);
  }
  await t.rejects(inspectCheckpoint(filesDirectory(below)), {
    message: /has no config.json.*sub-folders: "old\/"/,
  });
  const bare = [new File([], 'config.json'), new File([], 'config.json')];
  t.throws(() => filesDirectory(bare), { message: /two of the files are named "config.json"/ });
});

t.test('a file of several that cannot be read is named', async (t) => {
  const all = state();
  const map = Object.fromEntries(all.map(({ name }, i) => [name, i < 9 ? 'a.bin' : 'b.bin']));
  const files: Files = new Map([
    ['config.json', json(config)],
    ['a.bin', encodeSafetensors(all.slice(0, 9))],
    ['b.bin', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1')],
    ['model.safetensors.index.json', json({ weight_map: map })],
  ]);
  await t.rejects(converted(files), { message: /^b\.bin of folder: the file is a git-lfs pointer/ });
});

t.test('what is copied holds what its name says', async (t) => {
  const base = filesOf(TINY);
  const text = (value: string) => new TextEncoder().encode(value);
  const passwd = text('root:x:0:0:root:/root:/bin/bash\n');
  for (const [file, bytes, message] of [
    [
      'tokenizer.json',
      text('version https://git-lfs.github.com/spec/v1\n'),
      /tokenizer.json of folder is a git-lfs/,
    ],
    ['tokenizer.json', json({ auths: {} }), /tokenizer.json of folder does not hold a tokenizer/],
    ['vocab.json', passwd, /vocab.json of folder is not JSON/],
    ['vocab.json', json({ auths: { key: 'x' } }), /does not hold token ids by token/],
    ['added_tokens.json', json({ token: 'x' }), /does not hold token ids by token/],
    ['merges.txt', passwd, /merges.txt of folder does not hold pairs of tokens: line 1/],
    ['merges.txt', text('#version: 0.2\na b\nc d e\n'), /line 3 is something else/],
    ['special_tokens_map.json', json({ private: 'x' }), /does not hold special tokens/],
    ['generation_config.json', json({ auths: {} }), /does not hold the configuration of text generation/],
    ['tokenizer_config.json', json({ auths: {} }), /does not hold the configuration of a tokenizer/],
  ] as const) {
    await t.rejects(converted(new Map([...base, [file, bytes]])), { message });
    await t.rejects(inspectCheckpoint(filesDirectory(new Map([...base, [file, bytes]]), 'folder')), {
      message,
    });
  }
  const parts: Files = new Map([
    ...base,
    ['vocab.json', json({ a: 0 })],
    ['merges.txt', text('#version: 0.2\na b\n')],
  ]);
  t.same((await converted(parts)).files.get('merges.txt'), parts.get('merges.txt'));
  parts.delete('tokenizer.json');
  const { ignored } = await inspectCheckpoint(filesDirectory(parts));
  t.match(
    ignored.find(({ name }) => name === 'tokenizer.json'),
    { reason: /vocab.json and merges.txt, which are not byte-level, make no tokenizer/ },
  );
});

t.test('a weight file in place of its folder', async (t) => {
  const names = ['backbone.', '', 'base_model.model.backbone.'];
  for (const prefix of names) {
    const weights = encodeSafetensors(
      state().map((each) => ({ ...each, name: each.name.replace('backbone.', prefix) })),
    );
    await t.rejects(inspectCheckpoint(bytesSource(weights, '/models/mamba/model.safetensors')), {
      message:
        /"model\.safetensors" holds the weights of a Mamba language model.*give its folder, "\/models\/mamba",/,
    });
  }
});
