/** Tests the export for PyTorch: exporting and converting again gives the same model. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { bytesSource, type ConvertOptions, convertCheckpoint, MemorySink } from '../../converters/index.js';
import { madeDict, torchZipBytes } from '../../converters/pytorch/testing/torch_writer.js';
import { sourceDirectory } from '../../node/source_directory.js';
import { fixtureFiles, fixturePath } from '../../testing/fixtures.js';
import { loadSink } from '../../testing/models.js';
import { DETECTOR, saved } from '../../testing/openmmlab_checkpoints.js';
import { exportCheckpoint, trainable } from './index.js';

const model = (sink: MemorySink) => {
  const { modelTopology, signature, weightsManifest, userDefinedMetadata } = JSON.parse(
    new TextDecoder().decode(sink.files.get('model.json')),
  );
  const { source: _, ...metadata } = userDefinedMetadata;
  return { modelTopology, signature, weightsManifest, metadata };
};
const shards = (sink: MemorySink) =>
  new Map(
    [...sink.files]
      .filter(([name]) => name.endsWith('.bin'))
      .map(([name, bytes]) => [name, Buffer.from(bytes)]),
  );

const FILES = [...fixtureFiles('grootv', /\.pth$/), ...fixtureFiles('family', /^gg_ssm_tiny.*\.pth$/)].map(
  (file): [string, ConvertOptions] => [file, {}],
);
const DENSE = fixtureFiles('dense', /^(upernet|mask_rcnn).*\.pth$/).map((file): [string, ConvertOptions] => [
  file,
  { batchNorm: 'keep' },
]);

t.test('a checkpoint that is exported converts to the same bytes', async (t) => {
  await tf.setBackend('cpu');
  for (const [file, options] of [...FILES, ...DENSE]) {
    const first = new MemorySink();
    const bytes = new Uint8Array(readFileSync(fixturePath(file) as string));
    await convertCheckpoint(bytesSource(bytes), first, options);
    const loaded = await loadSink(first);
    const exported = await exportCheckpoint(loaded);
    loaded.dispose();
    const again = new MemorySink();
    await convertCheckpoint(bytesSource(exported), again, options);
    t.same(shards(again), shards(first), `${file}: weights`);
    t.same(model(again), model(first), `${file}: model.json`);
  }
});

t.test('a segmenter as float16: half the file, nearest values, the same settings', async (t) => {
  await tf.setBackend('cpu');
  const settings: ConvertOptions = {
    batchNorm: 'keep',
    classNames: Array.from({ length: 150 }, (_, i) => `class "${i}"`),
    dense: {
      scale: [128, 96],
      multipleOf: 16,
      mode: 'slide',
      cropSize: [64, 48],
      stride: [32, 32],
      palette: Array.from({ length: 150 }, (_, i) => [i, 0, 255] as const),
    },
  };
  const first = new MemorySink();
  const bytes = new Uint8Array(readFileSync(fixturePath('dense/upernet_tiny.pth') as string));
  await convertCheckpoint(bytesSource(bytes), first, settings);
  const loaded = await loadSink(first);
  const [whole, half] = [
    await exportCheckpoint(loaded),
    await exportCheckpoint(loaded, { dtype: 'float16' }),
  ];
  t.ok(half.length < 0.6 * whole.length, `${half.length} of ${whole.length} bytes`);
  const again = new MemorySink();
  const { settings: found } = await convertCheckpoint(bytesSource(half), again, { batchNorm: 'keep' });
  t.same(model(again), model(first));
  t.same([...new Set(found.map(({ from }) => from))], ['checkpoint'], 'nothing is a default');
  const restored = await loadSink(again);
  for (const [name, [weight]] of Object.entries(loaded.weights)) {
    if (weight.dtype !== 'float32') continue;
    const difference = tf.tidy(() => tf.sub(restored.weights[name][0], weight).abs().max().dataSync()[0]);
    const largest = tf.tidy(() => weight.abs().max().dataSync()[0]);
    t.ok(difference <= 2 ** -11 * largest, name);
  }

  const name = 'decode_head.conv_seg.bias';
  const [bias] = loaded.weights[name];
  loaded.weights[name] = [tf.fill(bias.shape, 1e5)];
  await t.rejects(exportCheckpoint(loaded, { dtype: 'float16' }), {
    message: `exportCheckpoint: ${name} has the value 100000, beyond the range of float16 (65504)`,
  });
  const wrong = { dtype: 'F16' } as unknown as { dtype: 'float16' };
  await t.rejects(exportCheckpoint(loaded, wrong), { message: /dtype/ });
  tf.dispose(bias);
  loaded.dispose();
  restored.dispose();
});

t.test("a detector whose boxes are not mmdetection's usual ones", async (t) => {
  await tf.setBackend('cpu');
  const config = `model = dict(
    rpn_head=dict(
        anchor_generator=dict(scales=[4], ratios=[1.0, 2.5, 4.0]), bbox_coder=dict(target_stds=[0.5, 0.5, 1.0, 1.0])),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2)),
        bbox_head=dict(bbox_coder=dict(target_stds=[0.2, 0.2, 0.4, 0.4]))))`;
  const file = await torchZipBytes(saved(DETECTOR, madeDict({ config })));
  const first = new MemorySink();
  await convertCheckpoint(file, first, { batchNorm: 'keep' });
  const loaded = await loadSink(first);
  const exported = await exportCheckpoint(loaded);
  loaded.dispose();
  const again = new MemorySink();
  await convertCheckpoint(bytesSource(exported), again, { batchNorm: 'keep' });
  t.same(model(again), model(first));
  t.match(JSON.stringify(model(again)), /"ratios":\{"list":\{"f":\[1,2.5,4\]/);
});

t.test('what an exported file says of a segmenter is not trusted', async (t) => {
  await tf.setBackend('cpu');
  const sink = new MemorySink();
  const bytes = new Uint8Array(readFileSync(fixturePath('dense/upernet_tiny.pth') as string));
  await convertCheckpoint(bytesSource(bytes), sink, { batchNorm: 'keep' });
  const loaded = await loadSink(sink);
  const exported = await exportCheckpoint(loaded);
  loaded.dispose();
  const length = Number(new DataView(exported.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(exported.subarray(8, 8 + length)));
  header.__metadata__ = {
    config: 'model = dict(test_cfg=dict(mode=__import__("os").system("x")))\ntest_pipeline = 7',
    class_names: '["one"]',
    palette: '[[',
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const changed = Buffer.concat([new Uint8Array(8), text, exported.subarray(8 + length)]);
  changed.writeBigUInt64LE(BigInt(text.length));
  const { settings } = await convertCheckpoint(bytesSource(changed), new MemorySink(), {});
  for (const name of ['mode', 'scale', 'classNames', 'palette']) {
    t.match(
      settings.find((setting) => setting.name === name),
      { from: 'default' },
      name,
    );
  }
  t.match(
    settings.find(({ name }) => name === 'classNames')?.note,
    /__metadata__.class_names: .* has 1 names/,
  );
});

t.test('a language model too', async (t) => {
  await tf.setBackend('cpu');
  const directory = await sourceDirectory(fixturePath('grootl/grootl_tiny') as string);
  const first = new MemorySink();
  await convertCheckpoint(directory, first);
  const loaded = await loadSink(first);
  const exported = await exportCheckpoint(loaded);
  loaded.dispose();
  const replaced = {
    ...directory,
    list: async () => ((await directory.list?.()) ?? []).filter((name) => name !== 'pytorch_model.bin'),
    open: (name: string) => (name === 'model.safetensors' ? bytesSource(exported) : directory.open(name)),
  };
  const again = new MemorySink();
  await convertCheckpoint(replaced as typeof directory, again);
  t.same(shards(again), shards(first));
});

t.test('what was folded cannot be exported or trained', async (t) => {
  await tf.setBackend('cpu');
  const sink = new MemorySink();
  const bytes = new Uint8Array(readFileSync(fixturePath('dense/upernet_tiny.pth') as string));
  await convertCheckpoint(bytesSource(bytes), sink);
  const folded = await loadSink(sink);
  const message =
    /^(exportCheckpoint|trainable): the weight "decode_head\..*" was computed from several parameters .*--trainable/;
  await t.rejects(exportCheckpoint(folded), { message });
  t.throws(() => trainable(folded), { message });
  folded.dispose();
});
