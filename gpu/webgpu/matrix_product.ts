/** Products of matrices: y = epilogue(a @ columns of b). */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Running } from './elements.js';
import { ACTIVATIONS } from './functions.js';
import { programs, type Variant } from './program.js';

/** Bytes of memory of a workgroup that a product uses: what every device has. */
const WORKGROUP_BYTES = 16384;
/** Terms that are in that memory at a time, of each of the parts of a sum, at most. */
const MOST_DEPTH = 16;
/** Of four float32. */
const BYTES_OF_FOUR = 16;
/** Rows from which on tiles are 64 x 64, and no sum is split. */
const MANY_ROWS = 200;

export interface MatrixProduct {
  /** [rows, terms] */
  readonly a: TensorInfo;
  /** [terms, columns], of which `outputs` from `first` on are used. */
  readonly b: TensorInfo;
  /** [columns], of which the same are used. */
  readonly bias?: TensorInfo;
  /** [rows, outputs] that is added behind the activation. */
  readonly residual?: TensorInfo;
  readonly activation: keyof typeof ACTIVATIONS;
  /** [rows, outputs] */
  readonly y: TensorInfo;
  readonly sizes: {
    readonly rows: number;
    readonly terms: number;
    readonly columns: number;
    readonly first: number;
    readonly outputs: number;
  };
}

/** How the threads of a workgroup are laid out: rows and columns of 4 x 4 sums, and parts of every sum. */
interface Tile extends Variant {
  readonly down: number;
  readonly across: number;
  readonly parts: number;
  /** Terms of a part that are in memory at a time. */
  readonly depth: number;
}

/** @param lanes a power of 2, 32 at least */
function tileFor(rows: number, lanes: number): Tile {
  const side = rows >= MANY_ROWS && lanes >= 256 ? 16 : 8;
  const [down, across] = rows <= 4 ? [1, 8] : [Math.min(side, lanes / 8), side];
  const parts = lanes / (down * across);
  let depth = MOST_DEPTH;
  while (BYTES_OF_FOUR * parts * depth * (down + across) > WORKGROUP_BYTES) depth /= 2;
  return { down, across, parts, depth };
}

/** Runs a product, in one dispatch. */
export function multiply({ dispatch, limits }: Running, product: MatrixProduct): void {
  const { activation, sizes, a, b, bias, residual, y } = product;
  const { rows, columns, first, outputs } = sizes;
  const tile = tileFor(rows, limits.lanes);
  const acrossAll = Math.ceil(outputs / (4 * tile.across));
  dispatch(
    program({
      ...tile,
      activation,
      hasBias: bias !== undefined,
      hasResidual: residual !== undefined,
      inFours: [columns, first, outputs].every((count) => count % 4 === 0),
    }),
    {
      bind: { a, b, bias, residual, y },
      numbers: { ...sizes, acrossAll },
      workgroups: Math.ceil(rows / (4 * tile.down)) * acrossAll,
    },
  );
}

interface Options extends Tile {
  readonly activation: keyof typeof ACTIVATIONS;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  /** Whether four columns are read and written at once. */
  readonly inFours: boolean;
}

const program = programs('product', (options: Options & Variant) => {
  const type = options.inFours ? 'vec4<f32>' : 'f32';
  return {
    reads: {
      a: 'f32',
      b: type,
      ...(options.hasBias && { bias: type }),
      ...(options.hasResidual && { residual: type }),
    },
    writes: { y: type },
    numbers: { rows: 'u32', terms: 'u32', columns: 'u32', first: 'u32', outputs: 'u32', acrossAll: 'u32' },
    code: codeOf(options),
  };
});

function codeOf(options: Options): string {
  const { down, across, parts, depth } = options;
  const threads = down * across; // of a part
  const lanes = threads * parts;
  const fours = depth * (down + across); // in memory, of a part
  return `
    ${ACTIVATIONS[options.activation]}
    ${columnAccess(options)}

    /* Of every part, [depth, down] of rows of a and [depth, across] of columns of b, in fours; then sums. */
    var<workgroup> tiles: array<vec4<f32>, ${Math.max(parts * fours, parts > 1 ? 4 * lanes : 0)}>;

    fn a_at(row: u32, term: u32) -> f32 {
      if (row >= numbers.rows || term >= numbers.terms) { return 0.0; }
      return a[row * numbers.terms + term];
    }

    @compute @workgroup_size(${lanes})
    fn main(
      @builtin(workgroup_id) id: vec3<u32>,
      @builtin(num_workgroups) count: vec3<u32>,
      @builtin(local_invocation_index) lane: u32,
    ) {
      let group = linearWorkgroup(id, count);
      let part = lane / ${threads}u;
      let thread = lane % ${threads}u;
      let ofA = part * ${fours}u;
      let ofB = ofA + ${depth * down}u;
      let firstRow = group / numbers.acrossAll * ${4 * down}u;
      let firstColumn = group % numbers.acrossAll * ${4 * across}u;
      let y4 = thread / ${across}u;
      let x4 = thread % ${across}u;
      var sums = array<vec4<f32>, 4>();
      for (var start = 0u; start < numbers.terms; start += ${depth * parts}u) {
        let from_term = start + part * ${depth}u;
        for (var i = thread; i < ${depth * down}u; i += ${threads}u) {
          let row = firstRow + 4u * (i / ${depth}u);
          let term = from_term + i % ${depth}u;
          tiles[ofA + i % ${depth}u * ${down}u + i / ${depth}u] =
            vec4(a_at(row, term), a_at(row + 1u, term), a_at(row + 2u, term), a_at(row + 3u, term));
        }
        for (var i = thread; i < ${depth * across}u; i += ${threads}u) {
          tiles[ofB + i] = b_at(from_term + i / ${across}u, firstColumn + 4u * (i % ${across}u));
        }
        workgroupBarrier();
        for (var k = 0u; k < ${depth}u; k++) {
          let row = tiles[ofA + k * ${down}u + y4];
          let column = tiles[ofB + k * ${across}u + x4];
          sums[0] += row.x * column;
          sums[1] += row.y * column;
          sums[2] += row.z * column;
          sums[3] += row.w * column;
        }
        workgroupBarrier();
      }
      ${parts > 1 ? sumOfParts(lanes, threads) : ''}
      ${parts > 1 ? `if (part > 0u) { return; }` : ''}
      let column = firstColumn + 4u * x4;
      if (column >= numbers.outputs) { return; }
      for (var r = 0u; r < 4u; r++) {
        let row = firstRow + 4u * y4 + r;
        if (row < numbers.rows) { finish(row, column, sums[r]); }
      }
    }
  `;
}

/** The sums of all parts, in the threads of the first. */
function sumOfParts(lanes: number, threads: number): string {
  return `
    for (var r = 0u; r < 4u; r++) { tiles[r * ${lanes}u + lane] = sums[r]; }
    for (var distance = ${lanes / 2}u; distance >= ${threads}u; distance /= 2u) {
      workgroupBarrier();
      if (lane < distance) {
        for (var r = 0u; r < 4u; r++) { tiles[r * ${lanes}u + lane] += tiles[r * ${lanes}u + lane + distance]; }
      }
    }
    for (var r = 0u; r < 4u; r++) { sums[r] = tiles[r * ${lanes}u + lane]; }
  `;
}

/** `b_at(term, column)`: four columns; and `finish`, which writes four. */
function columnAccess({ hasBias, hasResidual, inFours }: Options): string {
  const activated = 'vec4(activation(v.x), activation(v.y), activation(v.z), activation(v.w))';
  if (inFours) {
    return `
      fn b_at(term: u32, column: u32) -> vec4<f32> {
        if (term >= numbers.terms || column >= numbers.outputs) { return vec4(0.0); }
        return b[(term * numbers.columns + numbers.first + column) / 4u];
      }
      fn finish(row: u32, column: u32, sum: vec4<f32>) {
        let at = (row * numbers.outputs + column) / 4u;
        let v = sum${hasBias ? ' + bias[(numbers.first + column) / 4u]' : ''};
        y[at] = ${activated}${hasResidual ? ' + residual[at]' : ''};
      }
    `;
  }
  return `
    fn b_at(term: u32, column: u32) -> vec4<f32> {
      var four = vec4(0.0);
      if (term >= numbers.terms) { return four; }
      let at = term * numbers.columns + numbers.first + column;
      for (var j = 0u; j < 4u; j++) {
        if (column + j < numbers.outputs) { four[j] = b[at + j]; }
      }
      return four;
    }
    fn finish(row: u32, column: u32, sum: vec4<f32>) {
      for (var j = 0u; j < 4u; j++) {
        if (column + j >= numbers.outputs) { return; }
        let at = row * numbers.outputs + column + j;
        let v = sum[j]${hasBias ? ' + bias[numbers.first + column + j]' : ''};
        y[at] = activation(v)${hasResidual ? ' + residual[at]' : ''};
      }
    }
  `;
}
