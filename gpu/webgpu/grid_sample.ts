/**
 * GridSample: one thread per element of y. The gradient in the grid: several threads per position. The gradient in x: one
 * thread per channel of a line of pixels, which goes through all positions of the image and adds the contributions of those
 * next to its line. So no thread adds to another's sum, and sums have a fixed order.
 */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { GridSample, GridSampleGradient } from '../../plugin/ops/grid_sample.js';
import { elements, floats } from './elements.js';
import { PINNED } from './functions.js';
import { registerWebgpuKernel } from './kernels.js';
import type { NumberType } from './program.js';
import { rows } from './rows.js';

type Options = { readonly padding: string; readonly alignCorners: boolean };

const sizes: Record<string, NumberType> = {
  height: 'u32',
  width: 'u32',
  positions: 'u32', // per image
  zero: 'u32',
};

/**
 * WGSL: the pixels next to a coordinate. Positions are rounded as on the CPU, because rounding decides which pixels these
 * are.
 */
const positionOf = ({ padding, alignCorners }: Options) => `
struct Along {
  first: i32, // or the next is not a pixel where that is beyond the image
  weights: vec2<f32>, // of the first and the next
  slope: f32, // pixels for a unit of the grid, 0 where the position is held at a border
}

fn along(coordinate: f32, size: u32) -> Along {
  let isNumber = (bitcast<u32>(coordinate) & 0x7fffffff) <= 0x7f800000;
  // No image is so large that these are on it.
  let end = pinned(clamp(select(-1.0, coordinate, isNumber), -1e6, 1e6) + 1.0);
  let extent = f32(size);
  var slope = 0.5 * extent;
  ${
    alignCorners
      ? 'slope -= 0.5; var at = pinned(0.5 * end * (extent - 1.0));'
      : 'var at = 0.5 * (pinned(end * extent) - 1.0);'
  }
  ${
    padding === 'border'
      ? 'if (at <= 0.0 || at >= extent - 1.0) { slope = 0.0; } at = clamp(at, 0.0, extent - 1.0);'
      : 'if (at < -1.0 || at >= extent) { return Along(-2, vec2(0.0), 0.0); }'
  }
  let first = floor(at);
  let beyond = at - first;
  return Along(i32(first), vec2(1.0 - beyond, beyond), slope);
}

/** Whether a pixel is on the image; negative ones are large as unsigned numbers. */
fn exists(pixel: vec2<i32>) -> bool {
  return u32(pixel.x) < numbers.width && u32(pixel.y) < numbers.height;
}
`;

/**
 * Visits the pixels around a position: `at` is the index of their first channel, `s` and `r` select one of two columns and
 * rows.
 */
const forPixels = (body: string) => `
  let column = along(grid[position].x, numbers.width);
  let line = along(grid[position].y, numbers.height);
  let firstLine = position / numbers.positions * numbers.height;
  for (var r = 0; r < 2; r++) {
    for (var s = 0; s < 2; s++) {
      let pixel = vec2(column.first + s, line.first + r);
      if (!exists(pixel)) { continue; }
      let at = ((firstLine + u32(pixel.y)) * numbers.width + u32(pixel.x)) * numbers.channels;
      ${body}
    }
  }
`;

const sample = elements('grid_sample', (options: Options) => ({
  reads: { x: 'f32', grid: 'vec2<f32>' },
  writes: floats('y'),
  numbers: { ...sizes, channels: 'u32' },
  functions: PINNED + positionOf(options),
  body: `
    let position = i / numbers.channels;
    var sum = 0.0;
    ${forPixels('sum += line.weights[r] * column.weights[s] * x[at + i % numbers.channels];')}
    y[i] = sum;
  `,
}));

const differentiateGrid = rows('grid_sample_gradient_grid', (options: Options) => ({
  reads: { x: 'f32', dy: 'f32', grid: 'vec2<f32>' },
  writes: { dgrid: 'vec2<f32>' },
  numbers: sizes,
  functions: positionOf(options),
  body: `
    let position = row;
    var slopes = vec2(0.0);
    ${forPixels(`
      var product = 0.0;
      FOR_CHANNELS(c) { product += x[at + c] * dy[first + c]; }
      slopes += product * vec2(line.weights[r] * f32(2 * s - 1), column.weights[s] * f32(2 * r - 1));
    `)}
    let total = sums_of_row(lane, slopes);
    if (isFirst) { dgrid[row] = total * vec2(column.slope, line.slope); }
  `,
}));

const differentiateMaps = elements('grid_sample_gradient_x', (options: Options) => ({
  reads: { dy: 'f32', grid: 'vec2<f32>' },
  writes: floats('dx'),
  numbers: { ...sizes, channels: 'u32' },
  functions: PINNED + positionOf(options),
  body: `
    let c = i % numbers.channels;
    let ownLine = i / numbers.channels;
    let image = ownLine / numbers.height;
    let first = ownLine * numbers.width * numbers.channels + c;
    for (var column = 0u; column < numbers.width; column++) { dx[first + column * numbers.channels] = 0.0; }
    for (var position = image * numbers.positions; position < (image + 1) * numbers.positions; position++) {
      let line = along(grid[position].y, numbers.height);
      let r = i32(ownLine % numbers.height) - line.first;
      if (r != 0 && r != 1) { continue; }
      let column = along(grid[position].x, numbers.width);
      let given = line.weights[r] * dy[position * numbers.channels + c];
      for (var s = 0; s < 2; s++) {
        let at = u32(column.first + s);
        if (at < numbers.width) { dx[first + at * numbers.channels] += column.weights[s] * given; }
      }
    }
  `,
}));

const numbersOf = (x: readonly number[], grid: readonly number[]) => {
  const [, height, width, channels] = x;
  return { height, width, channels, positions: grid[1] * grid[2], zero: 0 };
};

registerWebgpuKernel(GridSample, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const numbers = numbersOf(shapes.x, shapes.grid);
  const size = sizeOf(outputs.y.shape);
  sample(running, { size, variant: attributes as Options, numbers, bind: { ...inputs, ...outputs } });
});

registerWebgpuKernel(GridSampleGradient, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const numbers = numbersOf(shapes.x, shapes.grid);
  const { channels, positions, height } = numbers;
  const [images] = shapes.x;
  const call = { variant: attributes as Options, numbers, bind: { ...inputs, ...outputs } };
  differentiateGrid(running, { ...call, rows: images * positions, channels });
  differentiateMaps(running, { ...call, size: images * height * channels });
});
