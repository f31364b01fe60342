/** LoRA adapters with all settings, separate from the weights and within them, and invalid ones. */
import t from 'tap';
import { encodeSafetensors, type SafetensorsTensor } from '../../plugin/models/safetensors_writer.js';
import { readFixture } from '../../testing/fixtures.js';
import { filesDirectory, inspectCheckpoint } from '../index.js';
import {
  ADAPTER,
  adapterConfig,
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
  weightsOf,
} from './testing/folders.js';

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
    [new Map(), /adapter has no adapter_config.json: it is not an adapter/],
    [withConfig({ peft_type: { toString: 1, valueOf: 1 } }), /type an object, expected "LORA"/],
    [withConfig({ use_dora: { toString: 1 } }), /use_dora an object, which cannot be merged/],
    [withConfig({ peft_type: 'IA3' }), /type "IA3", expected "LORA"/],
    [withConfig({ use_dora: true }), /use_dora "true", which cannot be merged/],
    [withConfig({ bias: 'all' }), /bias "all", which cannot be merged/],
    [withConfig({ lora_alpha: 'x' }), /lora_alpha "x", expected a number/],
    [new Map([['adapter_config.json', json(adapterConfig)]]), /no weights of an adapter/],
    [made([float32('x', [2])]), /the adapter has "x", which is not a LoRA weight of this model/],
    [made([whole]), /the adapter has no LoRA weights/],
    [made([lowRank[0]]), /A and B for "backbone.layers.0.mixer.dt_proj" are \[2, 4\] and none/],
    [
      made([{ ...lowRank[0], name: 'a.lora_A.weight' }]),
      /the adapter changes "a.weight", which the model does not have/,
    ],
  ];
  for (const [lora, message] of cases) await t.rejects(converted(base, { lora }), { message });
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
