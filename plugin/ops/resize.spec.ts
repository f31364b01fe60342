import type { Attributes } from './declaration.js';
import { indexOf, resampled } from './resample.spec.js';
import { AdaptiveAveragePool, InterpolateBilinear, InterpolateNearest } from './resize.js';
import { always, computing } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type FormulaArguments, type PerfSpec, type Sample, type Values } from './spec/spec.js';

/** Returns the source positions of a side of `size`, with weights, for position i of `count`. */
type Rule = (
  i: number,
  size: number,
  count: number,
) => readonly (readonly [position: number, weight: number])[];

const linear: Rule = (i, size, count) => {
  const at = Math.max(((i + 0.5) * size) / count - 0.5, 0);
  return neighbours(at, size);
};

const corners: Rule = (i, size, count) => neighbours(count > 1 ? (i * (size - 1)) / (count - 1) : 0, size);

function neighbours(at: number, size: number): [number, number][] {
  const low = Math.min(Math.floor(at), size - 1);
  return [
    [low, 1 - (at - low)],
    [Math.min(low + 1, size - 1), at - low],
  ];
}

/** Quotient and product are computed in float32, because they decide which pixel is taken. */
const nearest: Rule = (i, size, count) => [
  [Math.min(Math.floor(Math.fround(i * Math.fround(size / count))), size - 1), 1],
];

const mean: Rule = (i, size, count) => {
  const [first, end] = [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
  return Array.from({ length: end - first }, (_, k) => [first + k, 1 / (end - first)] as const);
};

/** Calls back for every term of every element of the output, with one rule for both axes. */
function visit(
  rule: Rule,
  [images, height, width, channels]: readonly number[],
  [rows, columns]: readonly number[],
  term: (to: number, from: number, weight: number) => void,
): void {
  for (let i = 0; i < images * rows * columns; i++) {
    const [n, p, q] = indexOf(i, [rows, columns]);
    for (const [r, ofRow] of rule(p, height, rows)) {
      for (const [s, ofColumn] of rule(q, width, columns)) {
        const from = ((n * height + r) * width + s) * channels;
        for (let c = 0; c < channels; c++) term(i * channels + c, from + c, ofRow * ofColumn);
      }
    }
  }
}

/** Applies a rule to both axes. */
function by(rule: Rule, x: Values, shape: readonly number[], size: readonly number[]) {
  const y = new Float64Array(shape[0] * size[0] * size[1] * shape[3]);
  visit(rule, shape, size, (to, from, weight) => {
    y[to] += weight * x[from];
  });
  return { y };
}

/** Formula and gradients of a resizing op. */
function resizing(rule: (attributes: Attributes) => Rule, size: (args: Sizes) => [number, number]) {
  return {
    formula: ({ inputs: { x }, ...args }: Resize) => by(rule(args.attributes), x, args.shapes.x, size(args)),
    gradient: ({ inputs: { x, like }, ...args }: Resize, { y: dy }: { readonly y: Values }) => {
      const gradient = new Float64Array(x.length);
      visit(rule(args.attributes), args.shapes.x, size(args), (to, from, weight) => {
        gradient[from] += weight * dy[to];
      });
      return { x: gradient, ...(like && { like: new Float64Array(like.length) }) };
    },
  };
}

type Sizes = Pick<FormulaArguments, 'shapes' | 'attributes'>;

type Resize = Sizes & { readonly inputs: { readonly x: Values; readonly like?: Values } };

function newSize({ shapes, attributes }: Sizes): [number, number] {
  const { height, width } = attributes as Record<string, number>;
  return [height || shapes.like[1], width || shapes.like[2]];
}

/** A fault: another rule. */
const ruledBy = (rule: Rule, size: (args: Sizes) => [number, number]) =>
  computing((args) => by(rule, args.inputs.x, args.shapes.x, size(args)));

const SIZES: readonly [from: [number, number], to: [number, number]][] = [
  [
    [3, 4],
    [7, 9],
  ], // up
  [
    [9, 7],
    [4, 3],
  ], // down
  [
    [1, 5],
    [3, 2],
  ], // one row, and a column down
];

function resizeSamples(random: Random, more: readonly Attributes[] = []): Sample[] {
  return [
    ...SIZES.map(([from, to], i): Sample => {
      const like = random.tensor([1, ...to, 1]);
      const size = i === 0 ? { inputs: { like } } : { attributes: { height: to[0], width: to[1] } };
      return {
        what: `${from.join(' x ')} to ${to.join(' x ')}`,
        inputs: { x: random.tensor([2, ...from, 5]), ...size.inputs },
        attributes: size.attributes,
      };
    }),
    ...more.map(
      (attributes): Sample => ({
        what: `3 x 4 to 7 x 9, ${Object.keys(attributes)}`,
        inputs: { x: random.tensor([2, 3, 4, 5]) },
        attributes: { height: 7, width: 9, ...attributes },
      }),
    ),
    {
      what: 'no images',
      inputs: { x: random.tensor([0, 3, 4, 5]) },
      attributes: { height: 7, width: 9 },
      withoutGradient: true,
    },
  ];
}

const perf = (attributes: (side: number) => Attributes): PerfSpec => ({
  sample: ({ side, channels }, random) => ({
    inputs: { x: random.tensor([1, side, side, channels]) },
    attributes: attributes(side),
  }),
});

export const interpolateBilinearSpec = defineSpec(InterpolateBilinear, {
  ...resizing(({ alignCorners }) => (alignCorners ? corners : linear), newSize),
  tolerance: resampled,
  samples: (random) => resizeSamples(random, [{ alignCorners: true }]),
  faults: {
    'corners are always aligned': always({ alignCorners: true }),
    'corners are never aligned': always({ alignCorners: false }),
    'positions before the first centre go on': ruledBy((i, size, count) => {
      const at = ((i + 0.5) * size) / count - 0.5;
      const low = Math.max(0, Math.min(Math.floor(at), size - 2));
      return size > 1
        ? [
            [low, 1 - (at - low)],
            [low + 1, at - low],
          ]
        : [[0, 1]];
    }, newSize),
    'pixels are at their corners': ruledBy((i, size, count) => neighbours((i * size) / count, size), newSize),
    'shrinking takes means': ruledBy(
      (i, size, count) => (count < size ? mean : linear)(i, size, count),
      newSize,
    ),
  },
  perf: perf((side) => ({ height: 2 * side, width: 2 * side })),
});

export const interpolateNearestSpec = defineSpec(InterpolateNearest, {
  ...resizing(() => nearest, newSize),
  tolerance: resampled,
  samples: (random) => [
    ...resizeSamples(random),
    // 41 * float32(6/41) is below 6 in some places: another pixel than with exact quotients.
    {
      what: 'where float32 decides',
      inputs: { x: random.tensor([1, 5, 1, 1]) },
      attributes: { height: 205, width: 1 },
      withoutGradient: true,
    },
  ],
  faults: {
    'centres are at half pixels': ruledBy(
      (i, size, count) => [[Math.min(Math.floor(((i + 0.5) * size) / count), size - 1), 1]],
      newSize,
    ),
    'positions are rounded to the nearest': ruledBy(
      (i, size, count) => [[Math.min(Math.round((i * size) / count), size - 1), 1]],
      newSize,
    ),
  },
  perf: perf((side) => ({ height: 2 * side, width: 2 * side })),
});

const cells = ({ attributes }: Sizes): [number, number] => [
  attributes.outHeight as number,
  attributes.outWidth as number,
];

export const adaptiveAveragePoolSpec = defineSpec(AdaptiveAveragePool, {
  ...resizing(() => mean, cells),
  tolerance: resampled,
  samples: (random) => [
    {
      what: '5 x 7 to 3 x 2',
      inputs: { x: random.tensor([2, 5, 7, 3]) },
      attributes: { outHeight: 3, outWidth: 2 },
    },
    {
      what: 'more cells than pixels',
      inputs: { x: random.tensor([1, 2, 3, 6]) },
      attributes: { outHeight: 6, outWidth: 6 },
    },
    {
      what: 'one cell',
      inputs: { x: random.tensor([2, 4, 6, 5]) },
      attributes: { outHeight: 1, outWidth: 1 },
    },
  ],
  faults: {
    'cells do not overlap': ruledBy((i, size, count) => {
      const [first, end] = [Math.floor((i * size) / count), Math.floor(((i + 1) * size) / count)];
      const length = Math.max(1, end - first);
      return Array.from({ length }, (_, k) => [first + k, 1 / length] as const);
    }, cells),
    'all cells are as large as the first': ruledBy((i, size, count) => {
      const length = Math.ceil(size / count);
      return mean(i, size, count).map(([at]) => [at, 1 / length] as const);
    }, cells),
  },
  perf: perf(() => ({ outHeight: 6, outWidth: 6 })),
});
