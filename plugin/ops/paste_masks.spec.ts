import { PasteMasks } from './paste_masks.js';
import { indexOf, resampled } from './resample.spec.js';
import { computing, mapped } from './spec/faults.js';
import { defineSpec, type Sample, type Values } from './spec/spec.js';
import { float32 } from './spec/tensor.js';

interface Options {
  readonly height: number;
  readonly width: number;
}

/** Positions are computed in float32; a pixel in the centre of a box of size 0 gets nothing. */
function pasted(
  masks: Values,
  boxes: Values,
  shape: readonly number[],
  { height, width }: Options,
  centre = 0.5,
  beyond = 1,
) {
  const f = Math.fround;
  const y = new Float64Array(shape[0] * height * width);
  /** Returns the mask positions, with weights, that a pixel falls on along one axis. */
  const samplesOf = (pixel: number, start: number, end: number, size: number): [number, number][] => {
    if (pixel < Math.floor(start) - beyond || pixel >= Math.ceil(end) + beyond) return [];
    const share = f(f(pixel + centre - start) / f(end - start));
    const u = Math.abs(share) === Number.POSITIVE_INFINITY ? 0 : f(f(share * 2) - 1);
    const at = f(f(f(f(u + 1) * size) - 1) / 2);
    const low = Math.floor(at);
    return (
      [
        [low, low + 1 - at],
        [low + 1, at - low],
      ] as [number, number][]
    ).filter(([i]) => i >= 0 && i < size);
  };
  y.forEach((_, i) => {
    const [k, row, column] = indexOf(i, [height, width]);
    const [x1, y1, x2, y2] = Array.from(boxes).slice(4 * k, 4 * k + 4);
    for (const [r, ofRow] of samplesOf(row, y1, y2, shape[1])) {
      for (const [s, ofColumn] of samplesOf(column, x1, x2, shape[2])) {
        y[i] += ofRow * ofColumn * masks[(k * shape[1] + r) * shape[2] + s];
      }
    }
  });
  return { y };
}

export const pasteMasksSpec = defineSpec(PasteMasks, {
  formula: ({ inputs: { masks, boxes }, shapes, attributes }) =>
    pasted(masks, boxes, shapes.masks, attributes),
  tolerance: resampled,
  differentiable: [],
  samples: (random): Sample[] => [
    {
      what: 'within, across borders, tiny, without extent',
      inputs: {
        masks: random.tensor([5, 6, 4], () => random.next()),
        boxes: float32(
          [5, 4],
          [2.2, 3.1, 9.7, 8.4, -4, -3, 5, 20, 6.1, 6.2, 6.3, 6.6, 4, 4, 4, 9, 0, 0, 13, 11],
        ),
      },
      attributes: { height: 11, width: 13 },
    },
    {
      what: 'no masks',
      inputs: { masks: float32([0, 6, 4], []), boxes: float32([0, 4], []) },
      attributes: { height: 11, width: 13 },
    },
  ],
  faults: {
    'pixels are at their corners': computing(({ inputs, shapes, attributes }) =>
      pasted(inputs.masks, inputs.boxes, shapes.masks, attributes as unknown as Options, 0),
    ),
    'nothing is cut off around a box': computing(({ inputs, shapes, attributes }) =>
      pasted(inputs.masks, inputs.boxes, shapes.masks, attributes as unknown as Options, 0.5, 100),
    ),
    'boxes are rounded': mapped('boxes', Math.round),
    'rows and columns are swapped': mapped(
      'boxes',
      (_, i, { inputs: { boxes } }) => boxes[i - (i % 4) + [1, 0, 3, 2][i % 4]],
    ),
  },
});
