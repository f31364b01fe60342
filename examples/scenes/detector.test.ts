/** The trained detector finds the digits of the carried scene, and its training starts from a checkpoint of mmdetection. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import t from 'tap';
import { convertCheckpoint, inspectCheckpoint, MemorySink } from '../../converters/index.js';
import { readImage } from '../../node/index.js';
import { Detector } from '../../plugin/index.js';
import { onBackend } from '../../testing/backends.js';
import { initialDetector } from './detector.js';

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What was drawn into scene.png. */
const DIGITS: readonly (readonly [label: string, box: readonly number[]])[] = [
  ['1', [78, 51, 95, 92]],
  ['2', [76, 4, 98, 30]],
  ['3', [5, 34, 33, 63]],
  ['0', [17, 10, 46, 37]],
  ['3', [37, 74, 62, 119]],
];

/** Intersection over union. */
function overlap(a: readonly number[], b: readonly number[]): number {
  const area = (box: readonly number[]) => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);
  const common = [0, 1, 2, 3].map((i) => (i < 2 ? Math.max(a[i], b[i]) : Math.min(a[i], b[i])));
  const shared = common[0] < common[2] && common[1] < common[3] ? area(common) : 0;
  return shared / (area(a) + area(b) - shared);
}

t.test('the trained detector', async (t) => {
  const { leaked } = await onBackend('wasm', async () => {
    const sink = new MemorySink();
    const file = await readFile(path('../models/mask_rcnn_nano.safetensors'));
    t.ok(file.length < 2e6, `${file.length} bytes`);
    await convertCheckpoint(file, sink);
    const detector = await Detector.load(sink);
    const image = await readImage(path('scene.png'));
    const { detections } = await detector.detect(image, { scoreThreshold: 0.5, masks: 'bitmap' });
    detector.dispose();
    const shown = detections.map(
      ({ label, score, box }) => `${label} ${score.toFixed(2)} [${box.map(Math.round)}]`,
    );
    t.ok(detections.length <= DIGITS.length + 1, `one is seen twice: ${shown.join('; ')}`);
    for (const [label, box] of DIGITS) {
      const found = detections.find((each) => each.label === label && overlap(each.box, box) > 0.5);
      t.ok(found, `${label} at ${box}`);
      const { data = new Uint8Array(0) } = found?.mask ?? {};
      const share = data.reduce((sum, pixel) => sum + pixel, 0) / data.length;
      t.ok(share > 0.15 && share < 0.9, `its mask is neither empty nor the whole box: ${share}`);
    }
  });
  t.equal(leaked, 0);
});

t.test('what training starts from', async (t) => {
  await tf.setBackend('wasm');
  const first = await initialDetector(1);
  const { architecture, classes, channels, settings } = await inspectCheckpoint(first);
  t.equal(architecture, 'GrootV + Mask R-CNN');
  t.same([classes, channels], [10, 16]);
  const read = Object.fromEntries(settings.map(({ name, value, from }) => [name, `${from}: ${value}`]));
  t.equal(read.anchorScale, 'checkpoint: 4');
  t.equal(read.anchorRatios, 'checkpoint: 1,2,4');
  t.equal(read.scale, 'checkpoint: 128,128');
  t.match(read.classNames, /^checkpoint: 0,1,2/);
  const again = await initialDetector(1);
  t.ok(Buffer.from(again).equals(first), 'a seed replays it');
});
