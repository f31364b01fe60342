import { CellCoordinates, CellMeans, ForegroundMask } from './cells.js';
import { indexOf, resampled } from './resample.spec.js';
import { EXACT } from './spec/bound.js';
import { always, before, computing, firstItem, mapped } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type FormulaArguments, type Sample, type Values } from './spec/spec.js';
import { float32 } from './spec/tensor.js';

type Sizes = readonly number[];

/** Calls back with every element of the means and each element of the map that contributes to it. */
function visitCells(
  [images, height, width, channels]: Sizes,
  side: number,
  add: (cell: number, pixel: number) => void,
): void {
  const [rows, columns] = [Math.floor(height / side), Math.floor(width / side)];
  for (let i = 0; i < images * rows * columns * channels; i++) {
    const [n, p, q, c] = indexOf(i, [rows, columns, channels]);
    for (let k = 0; k < side * side; k++) {
      const [r, s] = [p * side + Math.floor(k / side), q * side + (k % side)];
      add(i, ((n * height + r) * width + s) * channels + c);
    }
  }
}

function cellMeans(x: Values, [images, height, width, channels]: Sizes, side: number): Float64Array {
  const y = new Float64Array(images * Math.floor(height / side) * Math.floor(width / side) * channels);
  visitCells([images, height, width, channels], side, (cell, pixel) => {
    y[cell] += x[pixel] / side ** 2;
  });
  return y;
}

export const cellMeansSpec = defineSpec(CellMeans, {
  formula: ({ inputs: { x }, shapes, attributes: { side } }) => ({ y: cellMeans(x, shapes.x, side) }),
  gradient: ({ inputs: { x }, shapes, attributes: { side } }, { y: dy }) => {
    const gradient = new Float64Array(x.length);
    visitCells(shapes.x, side, (cell, pixel) => {
      gradient[pixel] += dy[cell] / side ** 2;
    });
    return { x: gradient };
  },
  tolerance: resampled,
  samples: (random) => [
    { what: '4 x 6 by 2', inputs: { x: random.tensor([2, 4, 6, 3]) }, attributes: { side: 2 } },
    { what: 'a rest is left out', inputs: { x: random.tensor([1, 7, 5, 5]) }, attributes: { side: 3 } },
    { what: 'one cell', inputs: { x: random.tensor([2, 3, 2, 4]) }, attributes: { side: 2 } },
    { what: 'every pixel a cell', inputs: { x: random.tensor([1, 3, 2, 2]) }, attributes: { side: 1 } },
  ],
  faults: {
    'sums, no means': computing(({ inputs: { x }, shapes, attributes }) => ({
      y: cellMeans(x, shapes.x, attributes.side as number).map((y) => y * (attributes.side as number) ** 2),
    })),
    'the first pixel of a cell is taken': computing(({ inputs: { x }, shapes, attributes }) => {
      const side = attributes.side as number;
      const seen = new Set<number>();
      const y = cellMeans(x, shapes.x, side);
      visitCells(shapes.x, side, (cell, pixel) => {
        if (!seen.has(cell)) y[cell] = x[pixel];
        seen.add(cell);
      });
      return { y };
    }),
  },
});

function coordinatesOf(shape: Sizes, side: number, alignCorners: boolean) {
  const counts = [Math.floor(shape[2] / side), Math.floor(shape[1] / side)];
  const coordinates = Float64Array.from({ length: 2 * counts[0] * counts[1] }, (_, i) => {
    const [row, column, axis] = indexOf(i, [counts[0], 2]);
    const [at, count] = [axis === 0 ? column : row, counts[axis]];
    if (!alignCorners) return -1 + 2 * ((at + 0.5) / count);
    return count === 1 ? -1 : -1 + 2 * (at / (count - 1));
  });
  return { coordinates, size: counts.map((count) => 2 / count) };
}

export const cellCoordinatesSpec = defineSpec(CellCoordinates, {
  formula: ({ shapes: { x }, attributes: { side, alignCorners } }) => coordinatesOf(x, side, alignCorners),
  differentiable: [],
  samples: (random) =>
    [true, false].flatMap((alignCorners) =>
      [
        { shape: [2, 4, 6, 3], side: 1 },
        { shape: [1, 5, 9, 2], side: 2 },
        { shape: [1, 3, 2, 1], side: 2 },
      ].map(({ shape, side }) => ({
        what: `${shape} by ${side}, ${alignCorners ? 'corners' : 'edges'}`,
        inputs: { x: random.tensor(shape) },
        attributes: { side, alignCorners },
      })),
    ),
  faults: {
    'corners are aligned': always({ alignCorners: true }),
    'corners are not aligned': always({ alignCorners: false }),
    'rows come first': computing(({ shapes: { x }, attributes: { side, alignCorners } }) => {
      const { coordinates, size } = coordinatesOf(x, side as number, alignCorners as boolean);
      return { coordinates: coordinates.map((_, i, all) => all[i ^ 1]), size };
    }),
    'cells have the size of pixels': computing(({ shapes: { x }, attributes: { side, alignCorners } }) => ({
      ...coordinatesOf(x, side as number, alignCorners as boolean),
      size: [2 / x[2], 2 / x[1]],
    })),
  },
});

// biome-ignore lint/suspicious/noApproximativeNumericConstant: the authors' number.
const FAR = 1.414;

/** Computes the masks cell by cell: the neighbours of each are looked up, and degrees are sorted. */
function masks(
  { inputs, shapes }: Pick<FormulaArguments, 'inputs' | 'shapes'>,
  isForeground = (degree: number, sorted: Float64Array) => degree >= sorted[(sorted.length - 1) >> 1],
): { mask: Float64Array } {
  const { features, coordinates, share } = inputs;
  const [images, height, width, channels] = shapes.features;
  const cells = height * width;
  const row = (values: Values, size: number, cell: number) =>
    Array.from({ length: size }, (_, c) => values[cell * size + c]);
  const dot = (a: number[], b: number[]) => a.reduce((total, value, i) => total + value * b[i], 0);
  const likeness = (u: number, v: number) => {
    const [f, g] = [row(features, channels, u), row(features, channels, v)];
    const norms = [f, g].map((each) => Math.max(Math.sqrt(dot(each, each)), 1e-12));
    const [p, q] = [row(coordinates, 2, u), row(coordinates, 2, v)];
    const squares = (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2;
    return (
      (share[0] * dot(f, g)) / (norms[0] * norms[1]) + (1 - share[0]) * (1 - Math.sqrt(squares + 1e-8) / FAR)
    );
  };
  const mask = new Float64Array(images * cells);
  for (let n = 0; n < images; n++) {
    const degrees = Float64Array.from({ length: cells }, (_, v) => {
      const [r, s] = [Math.floor(v / width), v % width];
      const neighbours = [
        r > 0 && v - width,
        r < height - 1 && v + width,
        s > 0 && v - 1,
        s < width - 1 && v + 1,
      ];
      return neighbours.reduce<number>(
        (total, u) => (u === false ? total : total + 2 * likeness(n * cells + v, n * cells + u)),
        0,
      );
    });
    const largest = Math.max(...degrees) + 1e-8;
    const scaled = degrees.map((degree) => degree / largest);
    const sorted = scaled.slice().sort();
    scaled.forEach((degree, v) => {
      mask[n * cells + v] = Number(isForeground(degree, sorted));
    });
  }
  return { mask };
}

export const foregroundMaskSpec = defineSpec(ForegroundMask, {
  formula: (args) => masks(args),
  gradient: ({ inputs: { features, coordinates } }) => ({
    features: new Float64Array(features.length),
    coordinates: new Float64Array(coordinates.length),
    share: new Float64Array(1),
  }),
  tolerance: () => ({ ...EXACT, reason: '1 or 0: degrees of the samples are far from the median' }),
  samples: (random) => [
    maskSample(random, 'an odd number of cells', [2, 3, 5, 4]),
    maskSample(random, 'an even number of cells', [1, 4, 6, 7]),
    maskSample(random, 'one row', [1, 1, 7, 3]),
    maskSample(random, 'one cell', [2, 1, 1, 3]),
  ],
  faults: {
    'the upper median': computing((args) =>
      masks(args, (degree, sorted) => degree >= sorted[sorted.length >> 1]),
    ),
    'above the median only': computing((args) =>
      masks(args, (degree, sorted) => degree > sorted[(sorted.length - 1) >> 1]),
    ),
    'the mask is turned': computing((args) => ({ mask: masks(args).mask.map((each) => 1 - each) })),
    'coordinates do not count': mapped('share', () => 1),
    'features do not count': mapped('share', () => 0),
    'every map has the mask of the first': firstItem('features', 'coordinates'),
    'features are not of unit length': before(({ inputs, shapes }) => ({
      inputs: {
        ...inputs,
        share: inputs.share.map((share) => share * 3),
        features: inputs.features.map((value, i) => (i % shapes.features[3] === 0 ? 3 * value : value)),
      },
    })),
  },
});

function maskSample(random: Random, what: string, shape: readonly number[]): Sample {
  const coordinates = [...shape.slice(0, 3), 2];
  return {
    what,
    inputs: {
      features: random.tensor(shape),
      coordinates: random.tensor(coordinates, () => 2 * random.next() - 1),
      share: float32([1], [0.25 + random.next() / 2]),
    },
  };
}
