/** Box ops in plain TypeScript; the computations are in plugin/kernels/boxes.ts. */
import { boxDecoder, levelOf } from '../kernels/boxes.js';
import { BoxRois, DecodeBoxes, EncodeBoxes, RoiLevels } from '../ops/boxes.js';
import { registerHostKernel } from '../ops/kernels.js';

const f32 = Math.fround;

registerHostKernel(DecodeBoxes, ({ inputs, outputs, shapes, attributes }) => {
  const { boxes, deltas, imageShape } = inputs;
  const decode = boxDecoder({ ...attributes, imageShape });
  const columns = shapes.deltas[1];
  for (let at = 0; at < deltas.length; at += 4) {
    decode(outputs.decoded as Float32Array, at, boxes, 4 * Math.floor(at / columns), deltas, at);
  }
});

registerHostKernel(
  EncodeBoxes,
  ({ inputs: { boxes, targets }, outputs: { deltas }, attributes: { stds } }) => {
    for (let at = 0; at < boxes.length; at += 4) {
      for (let axis = 0; axis < 2; axis++) {
        const [low, high] = [at + axis, at + axis + 2];
        const [size, target] = [boxes, targets].map((of) => f32(of[high] - of[low]));
        const [centre, towards] = [boxes, targets].map((of) => f32(f32(of[low] + of[high]) * 0.5));
        deltas[low] = f32(f32(towards - centre) / size) / f32(stds[axis]);
        deltas[high] = f32(Math.log(f32(target / size))) / f32(stds[axis + 2]);
      }
    }
  },
);

registerHostKernel(BoxRois, ({ inputs: { boxes, scale }, outputs: { rois }, shapes }) => {
  const [count, columns] = shapes.boxes;
  for (let k = 0; k < count; k++) {
    for (let i = 0; i < 4; i++) rois[5 * k + 1 + i] = boxes[k * columns + i] * (scale ? scale[i] : 1);
  }
});

registerHostKernel(RoiLevels, ({ inputs: { rois }, outputs: { byLevel }, attributes, shapes }) => {
  const { levels, finestScale } = attributes;
  const row = 5 * Math.max(shapes.rois[0], 1);
  for (let l = 0; l < levels; l++) {
    byLevel.set(rois, l * row);
    if (rois.length === 0) byLevel[l * row] = -1;
    for (let at = 0; at < rois.length; at += 5) {
      const [, x1, y1, x2, y2] = rois.subarray(at, at + 5);
      const level = levelOf(f32(x2 - x1), f32(y2 - y1), levels, finestScale);
      if (level !== l) byLevel[l * row + at] = -1;
    }
  }
});
