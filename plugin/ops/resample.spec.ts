import { Resample } from './resample.js';
import { boundOfTolerance, SINGLE_OP } from './spec/bound.js';
import { changed, mapped } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type OpSpec, type Sample, type Values } from './spec/spec.js';
import { int32 } from './spec/tensor.js';

/** Weighted sums of some pixels: the same bound for outputs and gradients, which are such sums as well. */
export const resampled: OpSpec['bound'] = (tolerance) =>
  boundOfTolerance(
    { ...SINGLE_OP, reason: 'a weighted sum of pixels; positions are those of float32' },
    tolerance,
    false,
  );

export const resampleSpec = defineSpec(Resample, {
  formula: ({ inputs: { x, starts, terms, ranges, weights }, shapes, attributes: { rows } }) => {
    const [, height, width, channels] = shapes.x;
    const [, positions, most] = shapes.weights;
    const columns = positions - rows;
    const y = new Float64Array((starts.length - 1) * rows * columns * channels);
    /** Returns the weight of position `source` in the result at `position`. */
    const weightOf = (table: number, position: number, source: number) => {
      const at = table * positions + position;
      const sample = source - ranges[2 * at];
      return sample >= 0 && sample < ranges[2 * at + 1] ? weights[at * most + sample] : 0;
    };
    y.forEach((_, i) => {
      const [m, p, q, c] = indexOf(i, [rows, columns, channels]);
      for (let term = starts[m]; term < starts[m + 1]; term++) {
        const [image, table] = [terms[2 * term], terms[2 * term + 1]];
        for (let r = 0; r < height; r++) {
          for (let s = 0; s < width; s++) {
            const weight = weightOf(table, p, r) * weightOf(table, rows + q, s);
            y[i] += weight * x[((image * height + r) * width + s) * channels + c];
          }
        }
      }
    });
    return { y };
  },
  tolerance: resampled,
  differentiable: [],
  samples: (random) => [
    sampleOf(random, 'one image', { x: [1, 4, 5, 3], made: [1, 3, 2], tables: 1, most: 3, terms: 1 }),
    sampleOf(random, 'sums of images, some of none', {
      x: [2, 5, 7, 5],
      made: [3, 2, 3],
      tables: 3,
      most: 4,
      terms: 5,
    }),
    sampleOf(random, '9 channels, one row', {
      x: [2, 1, 6, 9],
      made: [2, 5, 1],
      tables: 2,
      most: 1,
      terms: 3,
    }),
  ],
  faults: {
    'rows are taken for columns': (correct) => (args) => {
      const { ranges, weights } = args.inputs;
      const turned = (values: Values, width: number) => {
        const [, positions] = args.shapes.weights;
        return Float32Array.from(values, (_, i) => {
          const [at, rest] = [Math.floor(i / width), i % width];
          const position = at % positions;
          return values[(at - position + ((position + 1) % positions)) * width + rest];
        });
      };
      correct({
        ...args,
        inputs: {
          ...args.inputs,
          ranges: turned(ranges, 2),
          weights: turned(weights, args.shapes.weights[2]),
        },
      });
    },
    'only the first term counts': mapped('starts', (start, i, { inputs: { starts } }) =>
      i > 0 ? Math.min(start, starts[i - 1] + 1) : start,
    ),
    'all images have the first table': mapped('terms', (index, i) => (i % 2 === 1 ? 0 : index)),
    'the last sample is missing': mapped('ranges', (value, i) =>
      i % 2 === 1 ? Math.max(1, value - 1) : value,
    ),
    'channels beyond a multiple of four are missing': changed('y', (y, i, { shapes: { x } }) =>
      i % x[3] >= x[3] - (x[3] % 4) ? 0 : y,
    ),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const size = Math.max(1, side >> 1);
      const [height, width] = [2 * size, 2 * size];
      // Twice the size, interpolated between two neighbours.
      const first = (d: number) => Math.max(0, Math.min((d - 1) >> 1, size - 2));
      const ranges = Array.from({ length: height + width }, (_, i) => [first(i % height), Math.min(2, size)]);
      return {
        inputs: {
          x: random.tensor([1, size, size, channels]),
          starts: int32([2], [0, 1]),
          terms: int32([1, 2], [0, 0]),
          ranges: int32([1, height + width, 2], ranges.flat()),
          weights: random.tensor([1, height + width, 2]),
        },
        attributes: { rows: height },
      };
    },
  },
});

/** Converts a flat index to indices by the extents of the last axes; returns one more index than there are extents. */
export function indexOf(flat: number, extents: readonly number[]): number[] {
  const indices: number[] = [];
  let rest = flat;
  for (const extent of [...extents].reverse()) {
    indices.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return [rest, ...indices];
}

interface Sizes {
  readonly x: readonly [number, number, number, number];
  readonly made: readonly [images: number, rows: number, columns: number];
  readonly tables: number;
  readonly most: number;
  readonly terms: number;
}

function sampleOf(random: Random, what: string, { x, made, tables, most, terms }: Sizes): Sample {
  const [images, rows, columns] = made;
  const ranges = Array.from({ length: tables * (rows + columns) }, (_, i) => {
    const size = i % (rows + columns) < rows ? x[1] : x[2];
    const samples = random.integer(0, Math.min(most, size));
    return [random.integer(0, size - samples), samples];
  });
  // All of them in one table.
  ranges.splice(
    0,
    rows + columns,
    ...ranges.slice(0, rows + columns).map((_, i) => [0, Math.min(most, i < rows ? x[1] : x[2])]),
  );
  const starts = [
    0,
    ...Array.from({ length: images - 1 }, () => random.integer(0, terms)).sort((a, b) => a - b),
    terms,
  ];
  return {
    what,
    inputs: {
      x: random.tensor(x),
      starts: int32([images + 1], starts),
      terms: random.ints([terms, 2], (i) => random.integer(0, (i % 2 === 0 ? x[0] : tables) - 1)),
      ranges: int32([tables, rows + columns, 2], ranges.flat()),
      weights: random.tensor([tables, rows + columns, most]),
    },
    attributes: { rows },
  };
}
