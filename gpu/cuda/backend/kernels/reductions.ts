/** Sums, products, minima and maxima over any axes: reduce.cu. */
import { backend_util, type DataType, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { checkAxes } from '../arguments.js';
import { type DeviceTensor, type KernelCall, registerBuiltInKernel } from '../kernels.js';
import { Float32 } from '../launch.js';
import { THREADS, WARP } from './constants.js';
import { filled } from './shape.js';
import { SUFFIXES } from './unary.js';

interface Reduction {
  /** The kernel's name, without the suffix of the element type. */
  readonly kernel: string;
  /** Dtype of the result, by that of the input. */
  readonly dtypes: Readonly<Partial<Record<DataType, DataType>>>;
  /** The result for empty axes: as float32, and for any other type. */
  readonly empty: readonly [number, number];
  /** tfjs's name of the attribute with the axes. */
  readonly axes?: string;
  /** Set if results cannot be reduced further, because they are indices, not values. */
  readonly once?: true;
}

const COUNTED = { float32: 'float32', int32: 'int32', bool: 'int32' } as const;
const SAME = { float32: 'float32', int32: 'int32', bool: 'bool' } as const;
const NO_VALUE = [Number.NaN, 0] as const;
const PLACES = { float32: 'int32', int32: 'int32', bool: 'int32' } as const;

const FLOATS = { float32: 'float32', int32: 'float32', bool: 'float32' } as const;

const OPS: Readonly<Record<string, Reduction>> = {
  Sum: { kernel: 'sum', dtypes: COUNTED, empty: [0, 0] },
  Mean: { kernel: 'mean', dtypes: FLOATS, empty: [0, 0] },
  Prod: { kernel: 'prod', dtypes: COUNTED, empty: [1, 1] },
  Max: { kernel: 'max', dtypes: SAME, empty: NO_VALUE, axes: 'reductionIndices' },
  Min: { kernel: 'min', dtypes: SAME, empty: NO_VALUE },
  // Booleans are 0 and 1.
  All: { kernel: 'min', dtypes: { bool: 'bool' }, empty: NO_VALUE },
  Any: { kernel: 'max', dtypes: { bool: 'bool' }, empty: NO_VALUE },
  ArgMax: { kernel: 'arg_max', dtypes: PLACES, empty: [0, 0], once: true },
  ArgMin: { kernel: 'arg_min', dtypes: PLACES, empty: [0, 0], once: true },
};

for (const [op, reduction] of Object.entries(OPS)) {
  registerBuiltInKernel(op, ({ inputs, attrs, call, onCpu }) => {
    const { x } = inputs as { x: TensorInfo };
    const axes = util.parseAxisParam(attrs[reduction.axes ?? 'axis'] as number | number[], x.shape);
    checkAxes('axis', axes, x.shape.length);
    if (!reduction.dtypes[x.dtype] || (reduction.once && axes.length !== 1)) return onCpu();
    const y = reduce(call, reduction, x, axes);
    return attrs.keepDims ? call.alias(y, backend_util.expandShapeToKeepDim(y.shape, axes)) : y;
  });
}

/** A tensor [outer, length, inner] that is reduced along the axis `length`. */
interface Columns {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

function reduce(
  call: KernelCall,
  reduction: Reduction,
  x: TensorInfo,
  axes: readonly number[],
): DeviceTensor {
  const { kernel, empty, once } = reduction;
  const dtype = reduction.dtypes[x.dtype] as DataType;
  const [shape, reduced] = backend_util.computeOutAndReduceShapes(x.shape, [...axes]);
  const length = util.sizeFromShape(reduced);
  if (length === 0) return filled(call, shape, empty[dtype === 'float32' ? 0 : 1], dtype);
  const y = call.output(shape, dtype);
  if (util.sizeFromShape(shape) === 0) return y;
  // Of several groups of axes the last is reduced first, which leaves a smaller tensor of the result's type.
  const stages = columnsOf(x.shape, axes).flatMap((columns) => {
    const pieces = once ? 1 : piecesOf(columns);
    const { outer, inner } = columns;
    return pieces === 1
      ? [{ columns, pieces }]
      : [
          { columns, pieces },
          { columns: { outer, length: pieces, inner }, pieces: 1 },
        ];
  });
  let from: { address: number; bytes: number } = call.input(x);
  let suffix = SUFFIXES[x.dtype];
  for (const [i, { columns, pieces }] of stages.entries()) {
    const isLast = i === stages.length - 1;
    // Elements of results have at most 4 bytes.
    const to = isLast ? y : call.scratch(4 * columns.outer * columns.inner * pieces);
    launchReduction(call, `${kernel}_${suffix}`, from, to, columns, pieces, isLast ? length : 1);
    from = to;
    suffix = SUFFIXES[dtype];
  }
  return y;
}

/** Returns the groups of adjacent axes to reduce, last first, each with the extents that the previous ones leave. */
export function columnsOf(shape: readonly number[], axes: readonly number[]): Columns[] {
  const groups: { isReduced: boolean; extent: number }[] = [];
  for (const [axis, extent] of shape.entries()) {
    if (extent === 1) continue;
    const isReduced = axes.includes(axis);
    const last = groups.at(-1);
    if (last?.isReduced === isReduced) last.extent *= extent;
    else groups.push({ isReduced, extent });
  }
  const columns: Columns[] = [];
  let inner = 1;
  for (let i = groups.length - 1; i >= 0; i--) {
    const { isReduced, extent } = groups[i];
    if (!isReduced) {
      inner *= extent;
      continue;
    }
    const outer = groups.slice(0, i).reduce((product, group) => product * group.extent, 1);
    columns.push({ outer, length: extent, inner });
  }
  return columns.length > 0 ? columns : [{ outer: inner, length: 1, inner: 1 }];
}

/** Rows from this length on use a block each; if there are few rows, from the second value on. */
const LONG_ROW = 1024;
const LONG_ROW_OF_FEW = 256;
const FEW_ROWS = 2048;
/** Minimum elements per thread before several threads share a row or column. */
const ELEMENTS = 4;

/** Returns the number of threads that share a row: a power of two up to a warp, or a block. */
export function threadsOf(rows: number, length: number): number {
  const isLong = length >= LONG_ROW || (rows < FEW_ROWS && length >= LONG_ROW_OF_FEW);
  return isLong ? THREADS : Math.min(WARP, powerOfTwo(length / ELEMENTS));
}

/** Returns the number of adjacent columns per block: the more, the fewer threads share one. */
function widthOf({ length, inner }: Columns): number {
  const sharing = Math.min(THREADS / WARP, powerOfTwo(length / ELEMENTS));
  return Math.min(powerOfTwo(inner), THREADS / sharing);
}

/** Returns the smallest power of two that is not less. */
function powerOfTwo(value: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(value)));
}

/** Number of blocks that fills a large device; with fewer, long axes are split into pieces. */
const MANY_BLOCKS = 512;
/** Minimum elements of a piece per thread. */
const PIECE = 16;

/** Returns the number of pieces of an axis. It depends only on sizes, so that every device adds in the same order. */
function piecesOf(columns: Columns): number {
  const { outer, length, inner } = columns;
  const perBlock = inner === 1 ? THREADS / threadsOf(outer, length) : widthOf(columns);
  const sharing = THREADS / perBlock;
  const blocks = inner === 1 ? Math.ceil(outer / perBlock) : outer * Math.ceil(inner / perBlock);
  return Math.max(1, Math.min(Math.ceil(MANY_BLOCKS / blocks), Math.floor(length / (sharing * PIECE))));
}

function launchReduction(
  call: KernelCall,
  kernel: string,
  from: { address: number; bytes: number },
  to: { address: number; bytes: number },
  columns: Columns,
  pieces: number,
  divisor: number,
): void {
  const { outer, length, inner } = columns;
  if (inner === 1) {
    const sharing = threadsOf(outer, length);
    const blocks = [Math.ceil((outer * sharing) / THREADS), pieces] as const;
    const sizes = [outer, length, sharing, new Float32(divisor)] as const;
    call.launch(`reduce_rows_${kernel}`, { blocks, threads: THREADS }, from, to, ...sizes);
  } else {
    const width = widthOf(columns);
    const tiles = Math.ceil(inner / width);
    const sizes = [length, inner, width, tiles, new Float32(divisor)] as const;
    const grid = { blocks: [outer * tiles, pieces] as const, threads: THREADS };
    call.launch(`reduce_columns_${kernel}`, grid, from, to, ...sizes);
  }
}
