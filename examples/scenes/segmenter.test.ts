/** The carried segmenter: what `npm start` converts, on scenes of digits and photographs that it has not seen. */
import { readFile } from 'node:fs/promises';
import t from 'tap';
import { bytesSource, inspectCheckpoint } from '../../converters/index.js';
import { evaluateSegmenter } from '../../plugin/index.js';
import { onBackend } from '../../testing/backends.js';
import { CLASS_NAMES, openBundledScenes, sceneOf } from './scenes.js';
import { initialSegmenter, loadSegmenter } from './segmenter.js';

const FILE = new URL('../models/upernet_nano.safetensors', import.meta.url);
const SCENES = 10;
/** Measured: 0.379 of these scenes, which have few and odd digits; ../models/README.md has the figure of 200. */
const LEAST_IOU = 0.36;

t.test('the carried segmenter finds digits', async (t) => {
  const checkpoint = await readFile(FILE);
  t.ok(checkpoint.length < 2e6, `${checkpoint.length} bytes`);
  const { leaked } = await onBackend('wasm', async () => {
    const segmenter = await loadSegmenter(checkpoint);
    t.same(segmenter.metadata.classNames, CLASS_NAMES, 'it names its classes itself');
    t.same(segmenter.metadata.preprocessing.scale, [128, 128]);
    const source = await openBundledScenes();
    const scenes = await Promise.all(Array.from({ length: SCENES }, (_, i) => sceneOf(source, 1, i)));
    const { meanIoU, pixelAccuracy } = await evaluateSegmenter(segmenter, scenes);
    t.ok(meanIoU > LEAST_IOU, `mIoU ${meanIoU.toFixed(3)}, pixel accuracy ${pixelAccuracy.toFixed(3)}`);
    segmenter.dispose();
  });
  t.equal(leaked, 0);
});

t.test('training starts from a checkpoint in the layout of mmsegmentation', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const [first, again, other] = [
      await initialSegmenter(1),
      await initialSegmenter(1),
      await initialSegmenter(2),
    ];
    t.ok(Buffer.from(first).equals(again), 'the same from the same seed');
    t.notOk(Buffer.from(first).equals(other));
    t.match(await inspectCheckpoint(bytesSource(first)), {
      architecture: 'GrootV + UperNet',
      channels: 16,
      depths: [1, 1, 2, 1],
      classes: 11,
    });
  });
  t.equal(leaked, 0);
});
