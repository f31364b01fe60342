import { GridSample, GridSampleGradient } from './grid_sample.js';
import { indexOf } from './resample.spec.js';
import { boundOfTolerance, SINGLE_OP } from './spec/bound.js';
import { always, before, changed, firstItem, mapped, tailMissing, uncleared } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type FormulaArguments, type Sample } from './spec/spec.js';
import { type CaseTensor, float32 } from './spec/tensor.js';

export const gridSampleSpec = defineSpec(GridSample, {
  formula: (args) => {
    const { x } = args.inputs;
    const channels = args.shapes.x[3];
    const y = new Float64Array((args.inputs.grid.length / 2) * channels);
    visit(args, (position, pixel, [ofRow, ofColumn]) => {
      for (let c = 0; c < channels; c++)
        y[position * channels + c] += ofRow * ofColumn * x[pixel * channels + c];
    });
    return { y };
  },
  gradient: (args, { y: dy }) => {
    const { dx, dgrid } = gradients({ ...args, inputs: { ...args.inputs, dy } });
    return { x: dx, grid: dgrid };
  },
  tolerance: (of, _call, isGradient) =>
    boundOfTolerance(
      { ...SINGLE_OP, reason: 'a weighted sum of four pixels; positions are those of float32' },
      of,
      isGradient,
    ),
  batchInvariant: true,
  samples,
  faults: {
    'beyond the pixels is the border': always({ padding: 'border' }),
    'beyond the pixels are zeros': always({ padding: 'zeros' }),
    'corners are aligned': always({ alignCorners: true }),
    'corners are not aligned': always({ alignCorners: false }),
    'x and y are swapped': mapped('grid', (_, i, { inputs: { grid } }) => grid[i ^ 1]),
    'the nearest pixel is taken': before(({ inputs, shapes, attributes }) => ({
      inputs: {
        ...inputs,
        grid: inputs.grid.map((_, i, grid) => {
          const size = shapes.x[i % 2 === 0 ? 2 : 1];
          const at = Math.round(positionOf(grid[i], size, attributes.alignCorners as boolean));
          return attributes.alignCorners
            ? size === 1
              ? 0
              : (2 * at) / (size - 1) - 1
            : (2 * at + 1) / size - 1;
        }),
      },
    })),
    'every item of a batch has the first one’s grid': firstItem('grid'),
    'every item of a batch has the first one’s map': firstItem('x'),
    'channels beyond a multiple of four are missing': tailMissing('x'),
    'outside is the last pixel doubled': changed('y', (value, i, { inputs: { grid }, shapes: { x } }) =>
      Math.abs(grid[2 * Math.floor(i / x[3])]) > 1 ? 2 * value : value,
    ),
    'the output buffer is not cleared': uncleared('y'),
  },
  gradientKernel: {
    op: GridSampleGradient,
    formula: gradients,
    faults: {
      'the gradient of the grid is in pixels': changed(
        'dgrid',
        (g, i, { shapes: { x } }) => g / Math.max(1, x[i % 2 === 0 ? 2 : 1]),
      ),
      'the gradients of x and y are swapped': changed(
        'dgrid',
        (_, i, { outputs: { dgrid } }) => dgrid[i ^ 1],
      ),
      'positions at a border have a gradient': always({ padding: 'zeros' }),
      'all but the last position of an image are left out': mapped('dy', (value, i, { shapes }) => {
        const [, rows, columns] = shapes.grid;
        const last = rows * columns - 1;
        return Math.floor(i / shapes.x[3]) % (rows * columns) === last ? value : 0;
      }),
      'the gradient of x is that of the first image': firstItem('dy'),
      'the gradients are those of ones': mapped('dy', () => 1),
    },
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const shape = [1, side, side, channels];
      // As for deformed features: each position is near its own pixel.
      const near = (i: number, axis: number) => {
        const at = axis === 0 ? i % side : Math.floor(i / side);
        return side === 1 ? 0 : (2 * (at + random.next())) / side - 1;
      };
      const grid = Array.from({ length: 2 * side * side }, (_, i) => near(i >> 1, i % 2));
      return {
        inputs: { x: random.tensor(shape), grid: float32([1, side, side, 2], grid) },
        attributes: { padding: 'border', alignCorners: true },
      };
    },
  },
});

/** Converts a coordinate to a position in pixels, as in float32. */
function positionOf(coordinate: number, size: number, alignCorners: boolean): number {
  const f32 = Math.fround;
  const shifted = f32(coordinate + 1);
  return alignCorners ? f32(f32(shifted / 2) * f32(size - 1)) : f32(f32(f32(shifted * size) - 1) / 2);
}

type Pair = readonly [row: number, column: number];

/** Calls back with every position and pixel less than 1 apart along both axes, and those that matter for the gradient. */
function visit(
  { inputs: { grid }, shapes, attributes }: Pick<FormulaArguments, 'inputs' | 'shapes' | 'attributes'>,
  add: (position: number, pixel: number, weights: Pair, changes: Pair) => void,
): void {
  const [, height, width] = shapes.x;
  const [, rows, columns] = shapes.grid;
  for (let position = 0; position < grid.length / 2; position++) {
    const [image] = indexOf(position, [rows, columns]);
    const samples = [height, width].map((size, axis) => {
      const given = grid[2 * position + 1 - axis];
      const coordinate = Number.isNaN(given) ? -1 : given;
      const exact = positionOf(coordinate, size, attributes.alignCorners as boolean);
      const border = attributes.padding === 'border';
      const at = border ? (exact > 0 ? Math.min(size - 1, exact) : 0) : exact; // NaN is clamped to 0
      const held = border && (exact <= 0 || exact >= size - 1);
      const perUnit = held ? 0 : (attributes.alignCorners ? size - 1 : size) / 2;
      return Array.from({ length: size }, (_, pixel) => pixel).flatMap((pixel) => {
        // The pixel is the one at or before the position, or the next one.
        const distance = at - pixel;
        if (distance >= 0 && distance < 1) return [{ pixel, weight: 1 - distance, change: -perUnit }];
        if (distance >= -1 && distance < 0) return [{ pixel, weight: 1 + distance, change: perUnit }];
        return [];
      });
    });
    for (const row of samples[0]) {
      for (const column of samples[1]) {
        const pixel = (image * height + row.pixel) * width + column.pixel;
        add(position, pixel, [row.weight, column.weight], [row.change, column.change]);
      }
    }
  }
}

function gradients(args: FormulaArguments): { dx: Float64Array; dgrid: Float64Array } {
  const { x, grid, dy } = args.inputs;
  const channels = args.shapes.x[3];
  const [dx, dgrid] = [new Float64Array(x.length), new Float64Array(grid.length)];
  visit(args, (position, pixel, [ofRow, ofColumn], [changeOfRow, changeOfColumn]) => {
    for (let c = 0; c < channels; c++) {
      const gradient = dy[position * channels + c];
      const value = x[pixel * channels + c];
      dx[pixel * channels + c] += ofRow * ofColumn * gradient;
      dgrid[2 * position] += ofRow * changeOfColumn * value * gradient;
      dgrid[2 * position + 1] += changeOfRow * ofColumn * value * gradient;
    }
  });
  return { dx, dgrid };
}

const PADDINGS = ['zeros', 'border'];

function samples(random: Random): Sample[] {
  const sample = (
    what: string,
    x: readonly number[],
    grid: CaseTensor,
    attributes: { readonly padding: string; readonly alignCorners: boolean },
  ) => ({ what, inputs: { x: random.tensor(x), grid }, attributes });
  const within = (range: number) => () => range * (2 * random.next() - 1);
  const kinds = PADDINGS.flatMap((padding) =>
    [true, false].map((alignCorners) => ({
      padding,
      alignCorners,
      name: `${padding}, ${alignCorners ? 'corners' : 'edges'}`,
    })),
  );
  return [
    ...kinds.flatMap(({ name, ...attributes }) => {
      // Chosen so that the coordinates of pixels are exact.
      const size = attributes.alignCorners ? 5 : 4;
      return [
        sample(`inside; ${name}`, [2, 4, 5, 3], random.tensor([2, 3, 4, 2], within(1)), attributes),
        sample(
          `outside as well; ${name}`,
          [2, 3, 5, 6],
          random.tensor([2, 4, 5, 2], within(1.8)),
          attributes,
        ),
        sample(
          `on pixels and one beyond; ${name}`,
          [1, size, size, 2],
          onPixels(size, attributes),
          attributes,
        ),
        sample(
          `maps of one pixel; ${name}`,
          [2, 1, 1, 5],
          random.tensor([2, 2, 3, 2], within(2)),
          attributes,
        ),
        {
          ...sample(`NaN, infinities, far away; ${name}`, [1, 3, 4, 2], strange, attributes),
          notFinite: true,
        },
      ];
    }),
    ...kinds.slice(2).map(({ name, ...attributes }) => ({
      ...sample(`infinities beside one pixel; ${name}`, [1, 1, 1, 3], infinite, attributes),
      notFinite: true,
    })),
    sample('9 channels, one row', [2, 1, 6, 9], random.tensor([2, 5, 1, 2], within(1.2)), kinds[0]),
    sample('several positions in a pixel', [1, 2, 2, 4], random.tensor([1, 9, 9, 2], within(1.5)), kinds[1]),
    sample('no positions', [2, 3, 3, 2], float32([2, 0, 3, 2], []), kinds[2]),
    sample('no maps', [0, 3, 3, 2], float32([0, 2, 3, 2], []), kinds[3]),
  ].map(({ attributes: { padding, alignCorners }, ...rest }) => ({
    ...rest,
    attributes: { padding, alignCorners },
  }));
}

const strange = float32(
  [1, 3, 3, 2],
  [Number.NaN, 0.2, 0.1, Number.NaN, Number.NaN, Number.NaN].concat(
    [Infinity, 0.3, -0.4, -Infinity, Infinity, Infinity],
    [1e30, 0.1, -0.7, -1e30, 3e9, 0],
  ),
);

const infinite = float32([1, 1, 3, 2], [Infinity, 0.5, -Infinity, Infinity, 0.25, -Infinity]);

/** Positions at every pair of pixels of an axis of `size`, and of one more on each side. */
function onPixels(size: number, { alignCorners }: { readonly alignCorners: boolean }): CaseTensor {
  const at = Array.from({ length: size + 2 }, (_, i) =>
    alignCorners ? (2 * (i - 1)) / (size - 1) - 1 : (2 * (i - 1) + 1) / size - 1,
  );
  return float32(
    [1, at.length, at.length, 2],
    at.flatMap((y) => at.flatMap((x) => [x, y])),
  );
}
