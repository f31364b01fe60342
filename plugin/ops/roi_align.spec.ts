import type { Attributes } from './declaration.js';
import { indexOf, resampled } from './resample.spec.js';
import { RoiAlign } from './roi_align.js';
import { always, computing, mapped } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type Sample, type Values } from './spec/spec.js';
import { float32 } from './spec/tensor.js';

type Options = Readonly<Record<'outHeight' | 'outWidth' | 'spatialScale' | 'samplingRatio', number>> & {
  readonly aligned: boolean;
};

export const roiAlignSpec = defineSpec(RoiAlign, {
  formula: ({ inputs: { features, rois }, shapes, attributes }) => {
    const [, height, width, channels] = shapes.features;
    const { outHeight, outWidth } = attributes;
    const y = new Float64Array(shapes.rois[0] * outHeight * outWidth * channels);
    visit(rois, shapes.features, attributes, (bin, image, r, s, weight) => {
      const from = ((image * height + r) * width + s) * channels;
      for (let c = 0; c < channels; c++) y[bin * channels + c] += weight * features[from + c];
    });
    return { y };
  },
  gradient: ({ inputs: { features, rois }, shapes, attributes }, { y: dy }) => {
    const [, height, width, channels] = shapes.features;
    const gradient = new Float64Array(features.length);
    visit(rois, shapes.features, attributes, (bin, image, r, s, weight) => {
      const to = ((image * height + r) * width + s) * channels;
      for (let c = 0; c < channels; c++) gradient[to + c] += weight * dy[bin * channels + c];
    });
    return { features: gradient, rois: new Float64Array(rois.length) };
  },
  tolerance: resampled,
  samples,
  faults: {
    'regions are not aligned': always({ aligned: false }),
    'bins have two samples': always({ samplingRatio: 2 }),
    'rois are not scaled': always({ spatialScale: 1 }),
    'rows and columns are swapped': mapped(
      'rois',
      (_, i, { inputs: { rois } }) => rois[i - (i % 5) + [0, 2, 1, 4, 3][i % 5]],
    ),
    'every roi is of the first image': mapped('rois', (value, i) => (i % 5 === 0 && value > 0 ? 0 : value)),
    'a negative image is the first': mapped('rois', (value, i) => (i % 5 === 0 ? Math.max(0, value) : value)),
    'samples outside count as those at the border': aligned({ clamps: true }),
    'the last position is interpolated with the first of the next row': aligned({ wraps: true }),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const size = 4 * side;
      return {
        inputs: {
          features: random.tensor([1, side, side, channels]),
          rois: float32(
            [side, 5],
            Array.from({ length: side }, () => {
              const [x, y] = [random.next() * size * 0.7, random.next() * size * 0.7];
              return [0, x, y, x + random.next() * size * 0.3, y + random.next() * size * 0.3];
            }).flat(),
          ),
        },
        attributes: { outHeight: 7, outWidth: 7, spatialScale: 0.25 },
      };
    },
  },
});

interface Mistakes {
  readonly clamps?: boolean;
  readonly wraps?: boolean;
}

function aligned(mistakes: Mistakes) {
  return computing(({ inputs: { features, rois }, shapes, attributes }) => {
    const [, height, width, channels] = shapes.features;
    const { outHeight, outWidth } = attributes as unknown as Options;
    const y = new Float64Array(shapes.rois[0] * outHeight * outWidth * channels);
    visit(
      rois,
      shapes.features,
      attributes as unknown as Options,
      (bin, image, r, s, weight) => {
        const from = ((image * height + r) * width + s) * channels;
        for (let c = 0; c < channels; c++) y[bin * channels + c] += weight * (features[from + c] ?? 0);
      },
      mistakes,
    );
    return { y };
  });
}

type Visit = (bin: number, image: number, row: number, column: number, weight: number) => void;

/**
 * Visits every pixel of every sample of every bin, with its weight. Positions are rounded to float32 as the op declares;
 * sums are not.
 */
function visit(
  rois: Values,
  [, height, width]: readonly number[],
  { outHeight, outWidth, spatialScale, samplingRatio, aligned }: Options,
  each: Visit,
  mistakes: Mistakes = {},
): void {
  const bins = (rois.length / 5) * outHeight * outWidth;
  for (let bin = 0; bin < bins; bin++) {
    const [k, p, q] = indexOf(bin, [outHeight, outWidth]);
    const image = rois[5 * k];
    if (image < 0) continue;
    const [ofRows, ofColumns] = (
      [
        [rois[5 * k + 2], rois[5 * k + 4], outHeight, p],
        [rois[5 * k + 1], rois[5 * k + 3], outWidth, q],
      ] as const
    ).map(([low, high, count, index]) => {
      const [start, end] = [low, high].map((at) =>
        Math.fround(Math.fround(at * Math.fround(spatialScale)) - (aligned ? 0.5 : 0)),
      );
      const length = aligned ? Math.fround(end - start) : Math.max(1, Math.fround(end - start));
      const size = Math.fround(length / count);
      const samples = samplingRatio || Math.max(0, Math.ceil(size));
      return Array.from({ length: samples }, (_, i) => {
        const origin = Math.fround(start + Math.fround(index * size));
        return Math.fround(origin + Math.fround(Math.fround((i + 0.5) * size) / samples));
      });
    });
    for (const y of ofRows) {
      for (const x of ofColumns) {
        const isOutside = y < -1 || y > height || x < -1 || x > width;
        if (isOutside && !mistakes.clamps) continue;
        for (const [r, ofRow] of pixels(y, height, mistakes)) {
          for (const [s, ofColumn] of pixels(x, width, mistakes)) {
            each(bin, image, r, s, (ofRow * ofColumn) / (ofRows.length * ofColumns.length));
          }
        }
      }
    }
  }
}

function pixels(at: number, size: number, { wraps }: Mistakes): [number, number][] {
  const inside = Math.min(Math.max(at, 0), wraps ? size - 0.5 : size - 1);
  const low = Math.floor(inside);
  return inside === low
    ? [[low, 1]]
    : [
        [low, low + 1 - inside],
        [low + 1, inside - low],
      ];
}

function samples(random: Random): Sample[] {
  const rois = [
    [0, 1.3, 2.1, 14.2, 11.7],
    [1, 0, 0, 24, 20], // the whole map: bins of an integer number of pixels
    [1, -7.5, -3.25, 6.5, 40], // beyond the borders
    [-1, 3, 3, 9, 9], // image index -1: no image
    [0, 8, 5, 8, 5], // size 0
    [0, 20.5, 17.5, 23.9, 19.9],
  ];
  const sample = (what: string, attributes: Attributes): Sample => ({
    what,
    inputs: { features: random.tensor([2, 10, 12, 5]), rois: float32([rois.length, 5], rois.flat()) },
    attributes: { spatialScale: 0.5, ...attributes },
  });
  return [
    sample('2 x 3 bins', { outHeight: 2, outWidth: 3 }),
    sample('2 x 3 bins of 2 x 2 samples', {
      outHeight: 2,
      outWidth: 3,
      samplingRatio: 2,
      spatialScale: 0.31,
    }),
    sample('2 x 3 bins, not aligned', { outHeight: 2, outWidth: 3, aligned: false }),
    {
      what: 'no rois',
      inputs: { features: random.tensor([2, 10, 12, 5]), rois: float32([0, 5], []) },
      attributes: { outHeight: 2, outWidth: 3 },
    },
  ];
}
