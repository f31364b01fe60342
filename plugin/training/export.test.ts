/** Weights back to PyTorch: what is exported and converted again is the same model. */
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { bytesSource, type ConvertOptions, convertCheckpoint, MemorySink } from '../../converters/index.js';
import { sourceDirectory } from '../../node/source_directory.js';
import { fixtureFiles, fixturePath } from '../../testing/fixtures.js';
import { loadSink } from '../../testing/models.js';
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

const FILES = fixtureFiles('grootv', /\.pth$/).map((file): [string, ConvertOptions] => [file, {}]);
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
    const [before, after] = [model(first), model(again)];
    if (options.batchNorm) {
      // Settings of segmenters and detectors lie beside their weights.
      t.same(after.weightsManifest, before.weightsManifest, file);
      continue;
    }
    t.same(after, before, `${file}: model.json`);
  }
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
