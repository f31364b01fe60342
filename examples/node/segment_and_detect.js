/** Segments an image and detects its objects: node segment_and_detect.js street.jpg */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import { Detector, Segmenter } from 'tfjs-grootvl';
import { fileSystem } from 'tfjs-grootvl/node';
import { ready } from 'tfjs-grootvl/wasm';

await tf.setBackend('wasm');
await ready();
const [image] = process.argv.slice(2);

const segmenter = await Segmenter.load(fileSystem('upernet'));
const { classMap, classes } = await segmenter.segment(image); // the class of each pixel, and the share of each class
const detector = await Detector.load(fileSystem('mask_rcnn'));
const { detections } = await detector.detect(image, { scoreThreshold: 0.5, masks: 'polygon' });

console.log(`${classMap.length} pixels`);
for (const { label, share } of classes) console.log(`${label}: ${(100 * share).toFixed(2)} %`);
for (const { label, score, box, mask } of detections) {
  const corners = box.map((position) => position.toFixed(1)).join(', ');
  console.log(
    `${label} ${(100 * score).toFixed(2)} % at ${corners}, an outline of ${mask.flat().length} numbers`,
  );
}
