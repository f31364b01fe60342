/** Scales for comparing pixel contributions, as in published receptive fields, and the squares that contain given shares. */
import { checkExtent } from './rgb_image.js';

/** Contributions of the pixels of a square, such as a receptive field. */
export interface ContributionMap {
  /** Side of the square in pixels. */
  readonly size: number;
  /** float32 [size, size], row-major, each finite and at least 0. */
  readonly values: Float32Array;
}

/**
 * `log`: log10(1 + x), as in RepLKNet's figures. `root`: x ** 0.2, as in VMamba's, which makes small contributions visible.
 * Both are divided by the maximum.
 */
export type ContributionScale = 'log' | 'root';

/** The smallest centred square that contains more than a share of all scaled contributions. */
export interface ContributionSquare {
  /** From 0 to 1. */
  readonly share: number;
  /** In pixels. */
  readonly side: number;
  /** Fraction of the map's area, from 0 to 1. */
  readonly areaRatio: number;
}

const SCALES: Readonly<Record<ContributionScale, (value: number) => number>> = {
  log: (value) => Math.log10(1 + value),
  root: (value) => value ** 0.2,
};

/** The shares listed in RepLKNet's table. */
const SHARES = [0.2, 0.3, 0.5, 0.99] as const;

/** @throws {Error} if the map is invalid. */
export function checkContributions(caller: string, { size, values }: ContributionMap): void {
  checkExtent(caller, 'size', size);
  if (values.length !== size * size) {
    throw new Error(`${caller}: a square of ${size} pixels has ${size * size} values, got ${values.length}`);
  }
  const bad = values.findIndex((value) => !(value >= 0 && value < Number.POSITIVE_INFINITY));
  if (bad >= 0) throw new Error(`${caller}: values[${bad}] = ${values[bad]}, expected finite and at least 0`);
}

/** Scales contributions to 0..1, [size, size]; all 0 if nothing contributes. */
export function scaledContributions(values: Float32Array, scale: ContributionScale = 'log'): Float32Array {
  const scaled = new Float64Array(values).map(SCALES[scale]);
  const most = scaled.reduce((most, value) => Math.max(most, value), 0);
  return new Float32Array(most === 0 ? scaled : scaled.map((value) => value / most));
}

/**
 * Returns the smallest squares around the central pixel (row and column `floor(size / 2)`) that contain more than 20, 30, 50
 * and 99 % of the scaled contributions: the areas by which RepLKNet's and VMamba's papers compare networks.
 * @param map for example from `GrootV.receptiveField`
 * @returns by ascending share; an empty list if nothing contributes
 * @throws {Error} if the map is invalid.
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
