/** HuggingFace folders in every layout, adapters in every setting, and what is wrong with others. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeSafetensors, type SafetensorsTensor } from '../../plugin/models/safetensors_writer.js';
import { TextTokenizer } from '../../plugin/models/text_tokenizer.js';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { toFloat16 } from '../graph/quantize.js';
import {
  ArchitectureError,
  bytesSource,
  convertCheckpoint,
  filesDirectory,
  inspectCheckpoint,
  MemorySink,
} from '../index.js';
import {
  MadeOrderedDict,
  type MadeTensor,
  madeTensor,
  torchZipBytes,
} from '../pytorch/testing/torch_writer.js';

type Files = Map<string, Uint8Array>;

const TINY = fixturePath('grootl/grootl_tiny') as string;
const ADAPTER = fixturePath('grootl/grootl_tiny_lora') as string;
const tensors = readFixture('grootl/grootl_tiny/model.safetensors');
const config = JSON.parse(readFileSync(join(TINY, 'config.json'), 'utf8'));
const adapterConfig = JSON.parse(readFileSync(join(ADAPTER, 'adapter_config.json'), 'utf8'));
const EMBEDDINGS = 'backbone.embeddings.weight';

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

function filesOf(folder: string): Files {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(names.map(({ name }) => [name, Uint8Array.from(readFileSync(join(folder, name)))]));
}

/** The tiny model's tensors, some of them others or (null) left out. */
function state(changes: Record<string, SafetensorsTensor | null> = {}): SafetensorsTensor[] {
  const kept = tensors
    .names()
    .filter((name) => !(name in changes))
    .map((name): SafetensorsTensor => {
      const { shape, values } = tensors.tensor(name);
      return { name, dtype: 'F32', shape, data: values };
    });
  return [...kept, ...Object.values(changes).filter((tensor) => tensor !== null)];
}

const float32 = (name: string, shape: number[], seed = 1): SafetensorsTensor => ({
  name,
  dtype: 'F32',
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i) / 8),
});

const folder = (weights: readonly SafetensorsTensor[], changes = {}): Files =>
  new Map([
    ['config.json', json({ ...config, ...changes })],
    ['model.safetensors', encodeSafetensors(weights)],
  ]);

async function converted(files: Files, options: { lora?: Files } = {}): Promise<MemorySink> {
  const sink = new MemorySink();
  const lora = options.lora && filesDirectory(options.lora, 'adapter');
  await convertCheckpoint(filesDirectory(files, 'folder'), sink, { lora });
  return sink;
}

/** The values of a constant of a converted model, in PyTorch's order where it is a matrix. */
function constant(sink: MemorySink, name: string): Float32Array {
  const { weightSpecs, weightData } = sink.artifacts();
  let at = 0;
  for (const spec of weightSpecs as { name: string; shape: number[] }[]) {
    const size = spec.shape.reduce((product, extent) => product * extent, 1);
    if (spec.name === name) {
      const values = new Float32Array(weightData, at, size);
      const [rows, columns] = spec.shape;
      if (spec.shape.length !== 2 || name.endsWith('A_log')) return values;
      return Float32Array.from(values, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
    }
    at += 4 * size;
  }
  throw new Error(`no constant ${name}`);
}

t.test('one file, torch.save with a tied head, shards: the same model', async (t) => {
  const plain = new Uint8Array((await converted(filesOf(TINY))).artifacts().weightData);
  const made = new Map<string, MadeTensor>();
  for (const name of tensors.names()) {
    const { shape, values } = tensors.tensor(name);
    made.set(name, madeTensor('float32', shape, values));
  }
  made.set('lm_head.weight', made.get(EMBEDDINGS) as MadeTensor); // one storage, two names
  const saved: Files = new Map([
    ['config.json', json(config)],
    ['pytorch_model.bin', await torchZipBytes(new MadeOrderedDict(made))],
  ]);
  t.same(new Uint8Array((await converted(saved)).artifacts().weightData), plain);
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
  t.same(new Uint8Array((await converted(sharded)).artifacts().weightData), plain);
  for (const [file, message] of [
    ['../a.bin', /names "..\/a.bin", which is no file of its folder/],
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

t.test('what is no Mamba model, or contradicts itself, is refused in one line', async (t) => {
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
      /this is no Mamba model: .* among its 1 tensors \(weight\)/,
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

t.test('adapters', async (t) => {
  const base = filesOf(TINY);
  const adapter = filesOf(ADAPTER);
  const plain = constant(await converted(base), EMBEDDINGS);
  const merged = constant(await converted(base, { lora: adapter }), EMBEDDINGS);
  const withConfig = (changes: object): Files =>
    new Map([...adapter, ['adapter_config.json', json({ ...adapterConfig, ...changes })]]);
  const change = async (changes: object) => {
    const values = constant(await converted(base, { lora: withConfig(changes) }), EMBEDDINGS);
    const [strong, weak] = [merged, values].map((each) =>
      each.reduce((sum, v, i) => sum + Math.abs(v - plain[i]), 0),
    );
    return weak / strong;
  };
  const near = (a: number, b: number) => Math.abs(a - b) < 1e-3;
  t.ok(near(await change({ lora_alpha: 4 }), 1 / 2), 'alpha');
  t.ok(near(await change({ use_rslora: true }), 2), 'alpha / sqrt(rank)');
  t.ok(near(await change({ alpha_pattern: { embeddings: 24 } }), 3), 'alpha of a module');

  const whole = float32(`base_model.model.${EMBEDDINGS}`, [1024, 64]);
  const lowRank = [
    float32('base_model.model.backbone.layers.0.mixer.dt_proj.lora_A.weight', [2, 4]),
    float32('base_model.model.backbone.layers.0.mixer.dt_proj.lora_B.weight', [128, 2]),
  ];
  const made = (tensors: SafetensorsTensor[]): Files =>
    new Map([...adapter, ['adapter_model.safetensors', encodeSafetensors(tensors)]]);
  const replaced = await converted(base, { lora: made([whole, ...lowRank]) });
  t.same(constant(replaced, EMBEDDINGS), whole.data, 'a tensor that is stored whole');

  const cases: [files: Files, message: RegExp][] = [
    [new Map(), /adapter has no adapter_config.json: it is no adapter/],
    [withConfig({ peft_type: { toString: 1, valueOf: 1 } }), /type an object, expected "LORA"/],
    [withConfig({ use_dora: { toString: 1 } }), /use_dora an object, which cannot be merged/],
    [withConfig({ peft_type: 'IA3' }), /type "IA3", expected "LORA"/],
    [withConfig({ use_dora: true }), /use_dora "true", which cannot be merged/],
    [withConfig({ bias: 'all' }), /bias "all", which cannot be merged/],
    [withConfig({ lora_alpha: 'x' }), /lora_alpha "x", expected a number/],
    [new Map([['adapter_config.json', json(adapterConfig)]]), /no weights of an adapter/],
    [made([float32('x', [2])]), /the adapter has "x", which is no LoRA weight of this model/],
    [made([whole]), /the adapter has no LoRA weights/],
    [made([lowRank[0]]), /A and B for "backbone.layers.0.mixer.dt_proj" are \[2, 4\] and none/],
    [
      made([{ ...lowRank[0], name: 'a.lora_A.weight' }]),
      /the adapter changes "a.weight", which the model does not have/,
    ],
  ];
  for (const [lora, message] of cases) await t.rejects(converted(base, { lora }), { message });
});

/** Weights of a converted model, in one piece. */
async function weightsOf(files: Files, options: { lora?: Files } = {}): Promise<Buffer> {
  return Buffer.from((await converted(files, options)).artifacts().weightData as ArrayBuffer);
}

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
  await t.rejects(converted(untied), { message: /this is no Mamba model/ });
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

t.test('a tokenizer made of vocab.json and merges.txt', async (t) => {
  const whole = filesOf(TINY);
  const textOf = (name: string) => new TextDecoder().decode(whole.get(name));
  const { model, added_tokens: added } = JSON.parse(textOf('tokenizer.json'));
  const lines = ['#version: 0.2', ...model.merges, ''].join('\n');
  const base: Files = new Map([
    ...[...whole].filter(([name]) => name !== 'tokenizer.json'),
    ['vocab.json', json(model.vocab)],
    ['merges.txt', new TextEncoder().encode(lines)],
  ]);
  const texts = [
    'The maintainer of a package said: "it\'s 42 by 2024!"',
    'two  spaces,    four\tand\n\n  lines \r\n',
    'na\u00efve cafe\u0301 \u65e5\u672c\u8a9e \u{1f600} \u00ad\u200d',
    '<|endoftext|>a<|padding|> <|endoftext|>',
    ' ',
  ];
  const tokenizerOf = async (files: Files) => {
    const { files: written } = await converted(files);
    const named = (name: string) => new TextDecoder().decode(written.get(name) ?? json({}));
    const tokenizer = await TextTokenizer.load({
      'tokenizer.json': named('tokenizer.json'),
      'tokenizer_config.json': named('tokenizer_config.json'),
    });
    if (!tokenizer) throw new Error('no tokenizer');
    return { tokenizer, json: JSON.parse(named('tokenizer.json')) };
  };
  const expected = (await tokenizerOf(whole)).tokenizer;
  const byId = Object.fromEntries(
    added
      .filter(({ special }: { special: boolean }) => !special)
      .map(({ content, id }: { content: string; id: number }) => [content, id]),
  );
  const older: Files = new Map([
    ...base,
    ['added_tokens.json', json(byId)],
    ['tokenizer_config.json', json({ tokenizer_class: 'GPTNeoXTokenizer' })],
  ]);
  for (const [what, files] of [
    ['with added_tokens_decoder', base],
    ['with added_tokens.json and special_tokens_map.json', older],
  ] as const) {
    const made = await tokenizerOf(files);
    t.same(made.json.added_tokens, added, what);
    for (const text of texts) {
      const ids = expected.encode(text);
      t.same(made.tokenizer.encode(text), ids, `${what}: ${JSON.stringify(text)}`);
      t.equal(made.tokenizer.decode(ids), expected.decode(ids));
    }
  }
  const { ignored } = await inspectCheckpoint(filesDirectory(base));
  const row = ignored.find(({ name }) => name === 'tokenizer.json');
  t.match(row, { reason: /made of vocab.json and merges.txt \(byte-level BPE\)/ });

  const alone: Files = new Map([...base].filter(([name]) => !/token/.test(name)));
  t.match((await tokenizerOf(alone)).json, {
    added_tokens: [{ id: 0, content: '<|endoftext|>', special: true, normalized: false }],
    normalizer: null,
  });
  const begins = json({ add_bos_token: true, bos_token: '<|endoftext|>' });
  const { tokenizer } = await tokenizerOf(new Map([...alone, ['tokenizer_config.json', begins]]));
  t.equal(tokenizer.encode('The')[0], 0, 'a token for the beginning');

  for (const [what, name, bytes, message] of [
    ['a merge of no token', 'merges.txt', new TextEncoder().encode('\u0120 zzz\n'), /no token "zzz"/],
    [
      'an id beyond bounds',
      'vocab.json',
      json({ ...model.vocab, '\u0120zz': 2 ** 40 }),
      /made of vocab\.json/,
    ],
    ['a negative id', 'added_tokens.json', json({ x: -1 }), /made of vocab\.json/],
  ] as const) {
    await t.rejects(converted(new Map([...base, [name, bytes]])), { message }, what);
  }
  const pieces = json(Object.fromEntries(['\u2581the', '\u2581', 'the'].map((token, id) => [token, id])));
  const sentence: Files = new Map([
    ...alone,
    ['vocab.json', pieces],
    ['merges.txt', new TextEncoder().encode('\u2581 the\n')],
  ]);
  t.notOk((await converted(sentence)).files.has('tokenizer.json'), 'no byte-level vocabulary');
});

t.test('parameters trained beside an adapter, and adapters in the weight file', async (t) => {
  const base = filesOf(TINY);
  const adapter = filesOf(ADAPTER);
  const norm = 'backbone.norm_f.weight';
  const trained = [float32(norm, [64]), float32(EMBEDDINGS, [1024, 64])];
  const beside = (tensors: SafetensorsTensor[]): Files =>
    new Map([...adapter, ['trainable_params.bin', encodeSafetensors(tensors)]]);
  const sink = await converted(base, { lora: beside(trained) });
  t.same(constant(sink, norm), trained[0].data);
  const onTrained = folder(state({ [norm]: trained[0], [EMBEDDINGS]: trained[1] }));
  t.same(constant(sink, EMBEDDINGS), constant(await converted(onTrained, { lora: adapter }), EMBEDDINGS));
  const metadata = JSON.parse(new TextDecoder().decode(sink.files.get('model.json'))).userDefinedMetadata;
  t.match(metadata.source, {
    adapter: { file: 'adapter_model.safetensors' },
    trained: { file: 'trainable_params.bin' },
  });
  const inspection = await inspectCheckpoint(filesDirectory(base), { lora: filesDirectory(beside(trained)) });
  t.match(inspection, { adapter: 'adapter_model.safetensors', trained: 'trainable_params.bin' });
  const wrapped = trained.map((each) => ({
    ...each,
    name: each.name.replace('embeddings', 'embeddings.base_layer'),
  }));
  t.same(constant(await converted(base, { lora: beside(wrapped) }), EMBEDDINGS), constant(sink, EMBEDDINGS));
  await t.rejects(converted(base, { lora: beside([float32('x', [2])]) }), {
    message: /trainable_params.bin has "x", which the model does not have/,
  });
  await t.rejects(converted(base, { lora: beside([float32(norm, [32])]) }), {
    message: /backbone.norm_f.weight is \[32\]/,
  });

  const lowRank = readFixture('grootl/grootl_tiny_lora/adapter_model.safetensors');
  const inState = lowRank.names().map((name): SafetensorsTensor => {
    const { shape, values } = lowRank.tensor(name);
    const named = name.replace(/\.lora_(embedding_)?([AB])/, '.lora_$1$2.default');
    return { name: named, dtype: 'F32', shape, data: values };
  });
  const inside = state().map((each) => ({ ...each, name: `base_model.model.${each.name}` }));
  for (const each of inside)
    each.name = each.name.replace(/(_proj|embeddings)\.weight/, '$1.base_layer.weight');
  const full = folder([...inside, ...inState]);
  await t.rejects(converted(full), {
    message: /holds LoRA weights beside the model's, .*adapter_config.json/,
  });
  const merged = await weightsOf(base, { lora: adapter });
  const withScale = new Map([...full, ['adapter_config.json', json(adapterConfig)]]);
  t.ok((await weightsOf(withScale)).equals(merged), 'merged from the weight file');
  t.ok((await weightsOf(full, { lora: adapter })).equals(merged), 'the given adapter once, not twice');
  t.match(await inspectCheckpoint(filesDirectory(withScale)), { adapter: 'model.safetensors' });
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
