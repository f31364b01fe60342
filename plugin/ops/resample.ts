/**
 * Resample: computes images from other images by separable maps of rows and columns. Resizing, pooling, RoI alignment, mask
 * pasting and their gradients are calls of it with different tables, so that a backend needs one kernel for all of them.
 */
import { type Tensor, type Tensor4D, type TensorInfo, tensor, zeros } from '@tensorflow/tfjs-core';
import { type AxisMap, transposedMap } from '../kernels/axis_map.js';
import type { ReadValues } from './declaration.js';
import { defineOp, float32, int32 } from './declare.js';
import { OpError } from './input_checks.js';
import { runOp } from './kernels.js';

export const Resample = defineOp({
  name: 'Resample',
  doc:
    'y[m, p, q] = the sum over the terms (n, t) of image m, over r and s, of rowWeight[t, p, r] * columnWeight[t, q, s] * ' +
    'x[n, r, s]. The samples of a row or column are consecutive.',
  inputs: {
    x: float32(['N', 'H', 'W', 'C'], 'source images, channels last'),
    starts: int32(['S'], 'index of the first term of each image of y, then the end of the last; S = M+1'),
    terms: int32(['R', '2'], 'index of an image of x and index of the tables used to read it'),
    ranges: int32(['T', 'L', '2'], 'first sample and number of samples, for P rows and then Q columns'),
    weights: float32(['T', 'L', 'A'], 'weights of the samples; unused ones of the A follow them'),
  },
  attributes: {
    rows: { type: 'integer', least: 0, most: 'L', letter: 'P', doc: 'height P of y' },
  },
  derived: { M: 'S-1', Q: 'L-P' },
  outputs: { y: float32(['M', 'P', 'Q', 'C'], 'resampled images') },
  validate: ({ x, starts, terms, ranges, weights }, { rows }, read) => {
    const [images, height, width] = x.shape;
    const facts = [images, height, width, rows, ...ranges.shape, weights.shape[2], starts.shape[0]].join();
    if (trusted.get(ranges.dataId) === facts && isTrusted(starts, ranges) && isTrusted(terms, ranges)) return;
    checkTables({ starts, terms, ranges }, { images, height, width, rows, most: weights.shape[2] }, read);
  },
});

/** Tables made here, by the data of their ranges, with a key of what they were made for. */
const trusted = new WeakMap<object, string>();
/** The ranges that `starts` and `terms` were made with. */
const madeWith = new WeakMap<object, object>();

function isTrusted({ dataId }: TensorInfo, ranges: TensorInfo): boolean {
  return madeWith.get(dataId) === ranges.dataId;
}

interface Sizes {
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly rows: number;
  /** Number of samples for which there are weights. */
  readonly most: number;
}

function checkTables(
  tables: Readonly<Record<'starts' | 'terms' | 'ranges', TensorInfo>>,
  { images, height, width, rows, most }: Sizes,
  read: ReadValues,
): void {
  const fail = (what: string, expected: string): never => {
    throw new OpError('Resample', `${what}, expected ${expected}`);
  };
  const count = tables.terms.shape[0];
  const starts = read(tables.starts);
  starts.forEach((start, i) => {
    const least = i === 0 ? 0 : starts[i - 1];
    if (!(start >= least && start <= count)) fail(`starts[${i}] is ${start}`, `${least} to ${count}`);
  });
  const [numTables, positions] = tables.ranges.shape;
  read(tables.terms).forEach((index, i) => {
    const end = i % 2 === 0 ? images : numTables;
    if (!(index >= 0 && index < end)) fail(`terms[${i >> 1}, ${i % 2}] is ${index}`, `0 to ${end - 1}`);
  });
  const ranges = read(tables.ranges);
  for (let i = 0; i < ranges.length; i += 2) {
    const size = (i >> 1) % positions < rows ? height : width;
    const [first, samples] = [ranges[i], ranges[i + 1]];
    if (first >= 0 && samples >= 0 && samples <= most && first + samples <= size) continue;
    fail(`${samples} samples from ${first} on`, `at most ${most}, from 0 to ${size - 1}`);
  }
}

type Shape = [images: number, height: number, width: number, channels: number];

/** Maps of rows and columns, and which input images each output image is made of. */
export interface ResampleMap {
  /** For every output image: the input images, each with the index of its map. */
  readonly terms: readonly (readonly (readonly [image: number, map: number])[])[];
  /** At least one map. */
  readonly rows: readonly AxisMap[];
  /** As many as `rows`. */
  readonly columns: readonly AxisMap[];
}

/** Uses the same maps of rows and columns for every image. */
export function sameForAll(images: number, rows: AxisMap, columns: AxisMap): ResampleMap {
  return {
    terms: Array.from({ length: images }, (_, n) => [[n, 0] as const]),
    rows: [rows],
    columns: [columns],
  };
}

/** Resamples x [N, H, W, C] to [M, P, Q, C]. */
export function resample(x: Tensor, map: ResampleMap): Tensor4D {
  const shape: Shape = [map.terms.length, map.rows[0].length, map.columns[0].length, x.shape[3] as number];
  // tfjs has no empty textures.
  if (x.size === 0 || shape.includes(0) || map.terms.every((terms) => terms.length === 0))
    return zeros(shape);
  const tables = tablesOf(map);
  trusted.set(
    tables.ranges.dataId,
    [
      ...x.shape.slice(0, 3),
      shape[1],
      ...tables.ranges.shape,
      tables.weights.shape[2],
      tables.starts.shape[0],
    ].join(),
  );
  return runOp(Resample, { x, ...tables }, { rows: shape[1] })[0] as Tensor4D;
}

/**
 * Computes the gradient of {@link resample} in x.
 * @param dy [M, P, Q, C]
 * @param shape of x, [N, H, W, C]
 */
export function resampleGradient(dy: Tensor, map: ResampleMap, shape: readonly number[]): Tensor4D {
  const [images, height, width] = shape;
  const terms = Array.from({ length: images }, (): [number, number][] => []);
  map.terms.forEach((read, m) => {
    for (const [n, t] of read) terms[n].push([m, t]);
  });
  const transposed = {
    terms,
    rows: map.rows.map((rows) => transposedMap(rows, height)),
    columns: map.columns.map((columns) => transposedMap(columns, width)),
  };
  return resample(dy, transposed);
}

function tablesOf({ terms, rows, columns }: ResampleMap) {
  const axes = rows.map((map, t) => [...map, ...columns[t]]);
  const most = axes.reduce(
    (most, samples) => samples.reduce((n, { weights }) => Math.max(n, weights.length), most),
    1,
  );
  const positions = axes[0].length;
  const ranges = new Int32Array(2 * axes.length * positions);
  const weights = new Float32Array(axes.length * positions * most);
  axes.flat().forEach((samples, i) => {
    ranges.set([samples.first, samples.weights.length], 2 * i);
    weights.set(samples.weights, i * most);
  });
  const starts = new Int32Array(terms.length + 1);
  terms.forEach((read, m) => {
    starts[m + 1] = starts[m] + read.length;
  });
  const tables = {
    starts: tensor(starts, [terms.length + 1], 'int32'),
    terms: tensor(Int32Array.from(terms.flat(2)), [starts[terms.length], 2], 'int32'),
    ranges: tensor(ranges, [axes.length, positions, 2], 'int32'),
    weights: tensor(weights, [axes.length, positions, most], 'float32'),
  };
  madeWith.set(tables.starts.dataId, tables.ranges.dataId);
  madeWith.set(tables.terms.dataId, tables.ranges.dataId);
  return tables;
}
