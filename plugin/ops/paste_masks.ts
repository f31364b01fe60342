/** PasteMasks: pastes the masks of detections into their boxes, at the size of an image. */
import { reshape, type Tensor, type Tensor3D, zeros } from '@tensorflow/tfjs-core';
import { type AxisMap, pastedSpan, pastingMap } from '../kernels/axis_map.js';
import { defineOp, float32 } from './declare.js';
import { readFloats, runOp } from './kernels.js';
import { resample } from './resample.js';

export const PasteMasks = defineOp({
  name: 'PasteMasks',
  doc:
    'Bilinear, zeros outside: pixel centre x + 0.5 maps to u = (x + 0.5 - x1) / (x2 - x1) * 2 - 1, mask position ' +
    '((u + 1) * w - 1) / 2. Only pixels from floor(x1) - 1 to ceil(x2) + 1 are written, others are 0.',
  inputs: {
    masks: float32(['K', 'H', 'W'], 'mask probabilities of each box'),
    boxes: float32(['K', '4'], 'boxes as x1, y1, x2, y2 in pixels of the image; read on the host'),
  },
  attributes: {
    height: { type: 'integer', least: 0, letter: 'P', doc: 'height P of the image' },
    width: { type: 'integer', least: 0, letter: 'Q', doc: 'width Q of the image' },
  },
  outputs: { y: float32(['K', 'P', 'Q'], 'pasted probabilities; the mask is where they are at least 0.5') },
  reads: ['boxes'],
  compose: ({ masks, boxes }, { height, width }) => {
    const [count, rows, columns] = masks.shape as [number, number, number];
    if (count === 0) return zeros([0, height, width]);
    const values = readFloats('PasteMasks', boxes);
    const axes = Array.from({ length: count }, (_, k) =>
      axesOf(values.subarray(4 * k, 4 * k + 4), [rows, columns], [height, width]),
    );
    const pasted = resample(reshape(masks, [count, rows, columns, 1]), {
      terms: axes.map((_, k) => [[k, k]]),
      rows: axes.map(([ofRows]) => ofRows),
      columns: axes.map(([, ofColumns]) => ofColumns),
    });
    return reshape(pasted, [count, height, width]);
  },
});

type Pair = readonly [height: number, width: number];

function axesOf([x1, y1, x2, y2]: Float32Array, mask: Pair, image: Pair): [AxisMap, AxisMap] {
  return [pastingMap(y1, y2, mask[0], image[0]), pastingMap(x1, x2, mask[1], image[1])];
}

/** Part of an image. */
export interface PastedMask {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  /** [height, width] probabilities; 0 outside this part. */
  readonly values: Float32Array;
}

/**
 * Pastes one mask on the host, and returns only the part that may be above 0: all masks of a large image need much memory.
 * @param mask row-major probabilities of `size`.
 * @param box x1, y1, x2, y2 in pixels of the image.
 */
export function pasteMask(
  mask: Float32Array,
  size: Pair,
  box: ArrayLike<number>,
  image: { readonly height: number; readonly width: number },
): PastedMask {
  const values = Float32Array.from(box);
  const [left, right] = pastedSpan(values[0], values[2], image.width);
  const [top, bottom] = pastedSpan(values[1], values[3], image.height);
  const [width, height] = [Math.max(0, right - left), Math.max(0, bottom - top)];
  const [rows, columns] = axesOf(values, size, [top + height, left + width]);
  const result = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const { first, weights } = rows[top + y];
    for (let x = 0; x < width; x++) {
      const column = columns[left + x];
      let sum = 0;
      for (let r = 0; r < weights.length; r++) {
        const at = (first + r) * size[1] + column.first;
        for (let s = 0; s < column.weights.length; s++) {
          sum += weights[r] * column.weights[s] * mask[at + s];
        }
      }
      result[y * width + x] = sum;
    }
  }
  return { left, top, width, height, values: result };
}

/**
 * Pastes masks at the size of an image. Not differentiable.
 * @param masks [K, h, w] float32 probabilities.
 * @param boxes [K, 4] float32: x1, y1, x2, y2 in pixels of the image. Read on the host.
 * @param image its height and width in pixels.
 * @returns [K, height, width] float32; a detector's mask is where it is at least 0.5.
 * @throws {OpError} if a rank, dtype or size is wrong.
 */
export function pasteMasks(masks: Tensor, boxes: Tensor, image: { height: number; width: number }): Tensor3D {
  return runOp(PasteMasks, { masks, boxes }, { ...image })[0] as Tensor3D;
}
