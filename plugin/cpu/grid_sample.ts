/**
 * GridSample and GridSampleGradient in plain TypeScript. Positions are rounded to float32 in each step, because rounding
 * decides between which pixels they lie; sums are in float64.
 */
import { GridSample, GridSampleGradient } from '../ops/grid_sample.js';
import { registerHostKernel } from '../ops/kernels.js';

registerHostKernel(GridSample, ({ inputs: { x, grid }, outputs: { y }, shapes, attributes }) => {
  const channels = shapes.x[3];
  const sums = new Float64Array(channels);
  forEachPosition(grid, shapes.x, shapes.grid, attributes, (position, { corners }) => {
    sums.fill(0);
    for (const { from, weight } of corners) {
      for (let c = 0; c < channels; c++) sums[c] += weight * x[from + c];
    }
    y.set(sums, position * channels);
  });
});

registerHostKernel(GridSampleGradient, ({ inputs: { x, grid, dy }, outputs, shapes, attributes }) => {
  const channels = shapes.x[3];
  const dx = new Float64Array(x.length);
  forEachPosition(grid, shapes.x, shapes.grid, attributes, (position, { corners, slopes }) => {
    const slope = [0, 0];
    for (const { from, weight, alongColumns, alongRows } of corners) {
      let product = 0;
      for (let c = 0; c < channels; c++) {
        const gradient = dy[position * channels + c];
        dx[from + c] += weight * gradient;
        product += x[from + c] * gradient;
      }
      slope[0] += alongColumns * product;
      slope[1] += alongRows * product;
    }
    outputs.dgrid.set([slope[0] * slopes[0], slope[1] * slopes[1]], 2 * position);
  });
  outputs.dx.set(dx);
});

/** A pixel next to a position. */
interface Corner {
  /** Index of its first channel. */
  readonly from: number;
  readonly weight: number;
  /** Derivatives of the weight with respect to the column and the row. */
  readonly alongColumns: number;
  readonly alongRows: number;
}

interface Neighbourhood {
  /** Those of the four pixels that exist. */
  readonly corners: readonly Corner[];
  /** Derivative of the pixel position with respect to the grid, along columns and rows; 0 where the position is clamped. */
  readonly slopes: readonly [number, number];
}

function forEachPosition(
  grid: ArrayLike<number>,
  [, height, width, channels]: readonly number[],
  [images, rows, columns]: readonly number[],
  options: { readonly padding: string; readonly alignCorners: boolean },
  visit: (position: number, neighbourhood: Neighbourhood) => void,
): void {
  for (let position = 0; position < images * rows * columns; position++) {
    const image = Math.floor(position / (rows * columns));
    const [column, row] = [width, height].map((size, axis) =>
      along(grid[2 * position + axis], size, options),
    );
    const corners: Corner[] = [];
    for (const [r, ofRow, changeOfRow] of row.pixels) {
      for (const [c, ofColumn, changeOfColumn] of column.pixels) {
        corners.push({
          from: ((image * height + r) * width + c) * channels,
          weight: ofRow * ofColumn,
          alongColumns: ofRow * changeOfColumn,
          alongRows: changeOfRow * ofColumn,
        });
      }
    }
    visit(position, { corners, slopes: [column.slope, row.slope] });
  }
}

interface Along {
  readonly pixels: readonly (readonly [pixel: number, weight: number, change: number])[];
  readonly slope: number;
}

const f32 = Math.fround;

function along(
  coordinate: number,
  size: number,
  { padding, alignCorners }: { readonly padding: string; readonly alignCorners: boolean },
): Along {
  const end = f32((Number.isNaN(coordinate) ? -1 : coordinate) + 1);
  let at = alignCorners ? f32((end / 2) * (size - 1)) : f32(f32(end * size) - 1) / 2;
  let slope = (alignCorners ? size - 1 : size) / 2;
  if (padding === 'border') {
    if (!(at > 0 && at < size - 1)) slope = 0;
    at = at > 0 ? Math.min(at, size - 1) : 0; // NaN, which an infinite coordinate gives on a single pixel, also becomes 0
  } else if (!(at >= -1 && at < size)) {
    return { pixels: [], slope: 0 };
  }
  const first = Math.floor(at);
  const beyond = f32(at - first);
  const pixels = [[first, f32(1 - beyond), -1] as const, [first + 1, beyond, 1] as const];
  return { pixels: pixels.filter(([pixel]) => pixel >= 0 && pixel < size), slope };
}
