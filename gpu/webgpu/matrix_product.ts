/**
 * Tiled matrix products, 4 x 4 sums per thread. If there are few rows, the threads of a workgroup split the terms of every
 * sum, so that enough of them run; their partial sums are added in workgroup memory, without a second dispatch.
 */
import { entryPoint, type Variant } from './program.js';
import type { KernelLimits } from './runner.js';

/** Bytes of workgroup memory that a product uses: available on every device. */
const WORKGROUP_BYTES = 16384;
/** Maximum number of terms in that memory at a time, for each part of a sum. */
const MOST_DEPTH = 16;
/** Of four float32. */
const BYTES_OF_FOUR = 16;
/** Number of rows from which on tiles are 64 x 64, and no sum is split. */
const MANY_ROWS = 200;

/** How the threads of a workgroup are arranged: rows and columns of 4 x 4 sums, and parts of every sum. */
export interface Tile extends Variant {
  readonly down: number;
  readonly across: number;
  readonly parts: number;
  /** Terms of a part that are in memory at a time. */
  readonly depth: number;
}

/**
 * The tiles of a product: their form, their number in each row of tiles, and in all.
 * @param limits `lanes` is a power of 2, at least 32
 */
export function tilesFor(rows: number, columns: number, { lanes }: Pick<KernelLimits, 'lanes'>) {
  const side = rows >= MANY_ROWS && lanes >= 256 ? 16 : 8;
  const [down, across] = rows <= 4 ? [1, 8] : [Math.min(side, lanes / 8), side];
  const parts = lanes / (down * across);
  let depth = MOST_DEPTH;
  while (BYTES_OF_FOUR * parts * depth * (down + across) > WORKGROUP_BYTES) depth /= 2;
  const tile: Tile = { down, across, parts, depth };
  const acrossAll = Math.ceil(columns / (4 * across));
  return { tile, acrossAll, workgroups: Math.ceil(rows / (4 * down)) * acrossAll };
}

/** Numbers that {@link tiledProduct} needs; a program may have more. */
export const PRODUCT_NUMBERS = { rows: 'u32', terms: 'u32', outputs: 'u32', acrossAll: 'u32' } as const;

/** WGSL: `a_at` of a product, from an index in a buffer. */
export const termsOf = (name: string, index: string) => `
  fn a_at(row: u32, term: u32) -> f32 {
    if (row >= numbers.rows || term >= numbers.terms) { return 0.0; }
    return ${name}[${index}];
  }
`;

/** WGSL: `b_at` of a product, from the index of column + j in a buffer. */
export const columnsOf = (name: string, index: string) => `
  fn b_at(term: u32, column: u32) -> vec4<f32> {
    var four = vec4(0.0);
    if (term >= numbers.terms) { return four; }
    for (var j = 0u; j < min(4, numbers.outputs - min(column, numbers.outputs)); j++) { four[j] = ${name}[${index}]; }
    return four;
  }
`;

/**
 * WGSL of a product with `numbers.rows` x `numbers.outputs` sums of `numbers.terms`.
 * @param access WGSL of `a_at(row, term) -> f32`, of `b_at(term, column) -> vec4<f32>`, which returns four columns, both 0
 *   outside; and of `finish(row, column, sums: vec4<f32>)`, which writes four, some of which may be outside
 */
export function tiledProduct({ down, across, parts, depth }: Tile, access: string): string {
  const threads = down * across; // per part
  const lanes = threads * parts;
  const fours = depth * (down + across); // in memory, per part
  return `
    ${access}

    /* Of every part, [depth, down] of rows of a and [depth, across] of columns of b, in fours; then sums. */
    var<workgroup> tiles: array<vec4<f32>, ${Math.max(parts * fours, parts > 1 ? 4 * lanes : 0)}>;

    ${entryPoint(lanes)} {
      let group = linearWorkgroup(id, count);
      let part = lane / ${threads};
      let thread = lane % ${threads};
      let ofA = part * ${fours};
      let ofB = ofA + ${depth * down};
      let firstRow = group / numbers.acrossAll * ${4 * down};
      let firstColumn = group % numbers.acrossAll * ${4 * across};
      let y4 = thread / ${across};
      let x4 = thread % ${across};
      var sums = array<vec4<f32>, 4>();
      for (var start = 0u; start < numbers.terms; start += ${depth * parts}) {
        let ofPart = start + part * ${depth};
        for (var i = thread; i < ${depth * down}; i += ${threads}) {
          let row = firstRow + 4 * (i / ${depth});
          let term = ofPart + i % ${depth};
          tiles[ofA + i % ${depth} * ${down} + i / ${depth}] =
            vec4(a_at(row, term), a_at(row + 1, term), a_at(row + 2, term), a_at(row + 3, term));
        }
        for (var i = thread; i < ${depth * across}; i += ${threads}) {
          tiles[ofB + i] = b_at(ofPart + i / ${across}, firstColumn + 4 * (i % ${across}));
        }
        workgroupBarrier();
        for (var k = 0u; k < ${depth}; k++) {
          let row = tiles[ofA + k * ${down} + y4];
          let column = tiles[ofB + k * ${across} + x4];
          sums[0] += row.x * column;
          sums[1] += row.y * column;
          sums[2] += row.z * column;
          sums[3] += row.w * column;
        }
        workgroupBarrier();
      }
      ${parts > 1 ? sumOfParts(lanes, threads) : ''}
      let column = firstColumn + 4 * x4;
      if (part > 0 || column >= numbers.outputs) { return; }
      for (var r = 0u; r < 4; r++) {
        let row = firstRow + 4 * y4 + r;
        if (row < numbers.rows) { finish(row, column, sums[r]); }
      }
    }
  `;
}

/** The sums of all parts, in the threads of the first part. */
function sumOfParts(lanes: number, threads: number): string {
  return `
    for (var r = 0u; r < 4; r++) { tiles[r * ${lanes} + lane] = sums[r]; }
    for (var distance = ${lanes / 2}u; distance >= ${threads}; distance /= 2) {
      workgroupBarrier();
      if (lane < distance) {
        for (var r = 0u; r < 4; r++) { tiles[r * ${lanes} + lane] += tiles[r * ${lanes} + lane + distance]; }
      }
    }
    for (var r = 0u; r < 4; r++) { sums[r] = tiles[r * ${lanes} + lane]; }
  `;
}
