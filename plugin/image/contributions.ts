/** How contributions of pixels are compared: the scales of published receptive fields, and the squares that hold a share. */
import { checkExtent } from './rgb_image.js';

/** Contributions of the pixels of a square, such as a receptive field. */
export interface ContributionMap {
  /** Side of the square, pixels. */
  readonly size: number;
  /** float32 [size, size], row-major, each finite and at least 0. */
  readonly values: Float32Array;
}

/**
 * `log`: log10(1 + x), as RepLKNet's figures have it. `root`: x ** 0.2, as VMamba's have it, which shows contributions that
 * are small beside the largest. Both are divided by the largest.
 */
export type ContributionScale = 'log' | 'root';

/** The smallest square around the middle pixel that holds more than a share of all scaled contributions. */
export interface ContributionSquare {
  /** From 0 to 1. */
  readonly share: number;
  /** Pixels. */
  readonly side: number;
  /** Of the area of the map, from 0 to 1. */
  readonly areaRatio: number;
}

const SCALES: Readonly<Record<ContributionScale, (value: number) => number>> = {
  log: (value) => Math.log10(1 + value),
  root: (value) => value ** 0.2,
};

export const CONTRIBUTION_SCALES = Object.keys(SCALES) as readonly ContributionScale[];

/** The shares of which RepLKNet's table has the areas. */
const SHARES = [0.2, 0.3, 0.5, 0.99] as const;

/** @throws {Error} when the map is not as described */
export function checkContributions(caller: string, { size, values }: ContributionMap): void {
  checkExtent(caller, 'size', size);
  if (values.length !== size * size) {
    throw new Error(`${caller}: a square of ${size} pixels has ${size * size} values, got ${values.length}`);
  }
  const bad = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0) throw new Error(`${caller}: values[${bad}] = ${values[bad]}, expected finite and at least 0`);
}

/** Contributions from 0 to 1, [size, size]; all 0 where nothing contributes. */
export function scaledContributions(values: Float32Array, scale: ContributionScale = 'log'): Float32Array {
  const scaled = new Float64Array(values).map(SCALES[scale]);
  const most = scaled.reduce((most, value) => Math.max(most, value), 0);
  return new Float32Array(most === 0 ? scaled : scaled.map((value) => value / most));
}

/**
 * The smallest squares around the middle pixel (row and column `floor(size / 2)`) that hold more than 20, 30, 50 and 99 % of
 * the scaled contributions: the areas by which RepLKNet's and VMamba's papers compare networks.
 * @param map such as `GrootV.receptiveField` gives
 * @returns the smallest share first; none where nothing contributes
 * @throws {Error} when the map is not as described
 */
export function contributionSquares(
  map: ContributionMap,
  scale: ContributionScale = 'log',
): ContributionSquare[] {
  checkContributions('contributionSquares', map);
  const { size } = map;
  const middle = Math.floor(size / 2);
  const rings = new Float64Array(middle + 1);
  const scaled = scaledContributions(map.values, scale);
  for (let i = 0; i < scaled.length; i++) {
    rings[Math.max(Math.abs(Math.floor(i / size) - middle), Math.abs((i % size) - middle))] += scaled[i];
  }
  const total = rings.reduce((sum, value) => sum + value, 0);
  const squares: ContributionSquare[] = [];
  let within = 0;
  for (const [ring, value] of rings.entries()) {
    within += value;
    const side = Math.min(2 * ring + 1, size);
    while (squares.length < SHARES.length && within > SHARES[squares.length] * total)
      squares.push({ share: SHARES[squares.length], side, areaRatio: (side / size) ** 2 });
  }
  return squares;
}
