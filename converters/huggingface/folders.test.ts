/** HuggingFace folders in every layout, adapters in every setting, and what is wrong with others. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fixturePath, readFixture } from '../../testing/fixtures.js';
import { toFloat16 } from '../graph/quantize.js';
import {
  ArchitectureError,
  convertCheckpoint,
  filesDirectory,
  inspectCheckpoint,
  MemorySink,
} from '../index.js';
import { encodeSafetensors, type SafetensorsTensor } from '../pytorch/safetensors_writer.js';
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
  const { ignored } = await inspectCheckpoint(filesDirectory(saved));
  t.match(ignored, [{ name: 'lm_head.weight', reason: /tied/ }]);

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
    ['b.bin', /places "backbone.embeddings.weight" in b.bin, which has no such tensor/],
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
    ['no weights', new Map([['config.json', json(config)]]), /has no weights: wanted model.safetensors/],
    ['another model', folder(state(), { model_type: 'llama' }), /a model of type "llama", wanted "mamba"/],
    ['another activation', folder(state(), { hidden_act: 'relu' }), /activation "relu", wanted "silu"/],
    ['layers', folder(state(), { num_hidden_layers: 4 }), /num_hidden_layers is 4, the weights have 3/],
    ['sizes', folder(state(), { hidden_size: 32, state_size: 8 }), /hidden_size is 32.*; state_size is 8/],
    ['vocabulary', folder(state(), { vocab_size: 1000 }), /vocab_size is 1000, the weights have 1024/],
    ['a half', folder(state(), { hidden_size: 1.5 }), /hidden_size 1.5, wanted an integer/],
    ['a text', folder(state(), { state_size: 'x' }), /state_size "x", wanted a number above 0/],
    ['a flag', folder(state(), { use_bias: 'yes' }), /use_bias "yes", wanted true or false/],
    ['no head', folder(state(), { tie_word_embeddings: false }), /1 missing: lm_head.weight/],
    [
      'a part missing',
      folder(state({ 'backbone.norm_f.weight': null })),
      /1 missing: backbone.norm_f.weight/,
    ],
    ['a stranger', folder(state({ x: float32('x', [2]) })), /1 unexpected: x/],
    [
      'a wrong shape',
      folder(state({ 'backbone.layers.1.mixer.D': float32('backbone.layers.1.mixer.D', [64]) })),
      /1 of the wrong shape: backbone.layers.1.mixer.D is \[64\], wanted \[128\]/,
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
    [withConfig({ peft_type: 'IA3' }), /type "IA3", wanted "LORA"/],
    [withConfig({ use_dora: true }), /use_dora "true", which cannot be merged/],
    [withConfig({ bias: 'all' }), /bias "all", which cannot be merged/],
    [withConfig({ lora_alpha: 'x' }), /lora_alpha "x", wanted a number/],
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
