/**
 * How a constant of a GraphModel stores a PyTorch parameter: reads the layout from the graph's nodes, and converts values in
 * both directions. constant = reshape(transpose(parameter, axes), shape of the constant)
 */
import { sizeOf } from './kernels/sizes.js';
import { integer, isRecord, listOf, quote } from './models/checks.js';

/** Where the values of a constant lie in PyTorch's tensor. */
export interface TorchLayout {
  /** Shape of PyTorch's tensor. */
  readonly shape: readonly number[];
  /** The axes of PyTorch's tensor, or of its view, in the order of the constant. */
  readonly axes: readonly number[];
  /** Shape in which PyTorch's tensor is viewed, to which `axes` refer; by default `shape`. */
  readonly view?: readonly number[];
}

/** Attributes of `Const` nodes. */
export const LAYOUT_ATTRIBUTES = { shape: 'torch_shape', axes: 'torch_axes', view: 'torch_view' } as const;

/** A boolean attribute of `Const` nodes whose values were computed from several parameters, such as a folded BatchNorm. */
export const COMPUTED_ATTRIBUTE = 'torch_computed';

/** Converts a parameter's values, row-major, to those of its constant. */
export function fromTorch(values: Float32Array, { shape, view = shape, axes }: TorchLayout): Float32Array {
  return transpose(values, view, axes);
}

/** The inverse of {@link fromTorch}. */
export function toTorch(values: Float32Array, { shape, view = shape, axes }: TorchLayout): Float32Array {
  const moved = axes.map((axis) => view[axis]);
  return transpose(
    values,
    moved,
    view.map((_, axis) => axes.indexOf(axis)),
  );
}

/** Returns the values of a tensor with its axes permuted; the given array if no value moves. */
export function transpose(
  values: Float32Array,
  shape: readonly number[],
  axes: readonly number[],
): Float32Array {
  // First the axis that ends up last is moved there, in blocks that fit the cache; the others are then moved in whole rows.
  const last = axes.filter((axis) => shape[axis] !== 1).at(-1) ?? 0;
  const order = [...shape.keys()].filter((axis) => axis !== last && shape[axis] !== 1);
  const lengths = order.map((axis) => shape[axis]);
  const rowsLast = moveToEnd(values, shape, last);
  const leading = axes
    .filter((axis) => axis !== last && shape[axis] !== 1)
    .map((axis) => order.indexOf(axis));
  if (leading.every((axis, i) => axis === i)) return rowsLast;
  return transposeRows(rowsLast, lengths, leading, shape[last]);
}

/** Columns of a row that are transposed at a time, so that the destination rows stay in the cache. */
const TRANSPOSED_COLUMNS = 16;

/** Transposes [A, B, C] to [A, C, B], where B is an axis of the shape. */
function moveToEnd(values: Float32Array, shape: readonly number[], axis: number): Float32Array {
  const [outer, rows, columns] = [
    sizeOf(shape.slice(0, axis)),
    shape[axis] ?? 1,
    sizeOf(shape.slice(axis + 1)),
  ];
  if (rows === 1 || columns === 1) return values;
  const moved = new Float32Array(values.length);
  for (let start = 0; start < outer * rows * columns; start += rows * columns) {
    for (let first = 0; first < columns; first += TRANSPOSED_COLUMNS) {
      const end = Math.min(first + TRANSPOSED_COLUMNS, columns);
      for (let row = 0; row < rows; row++) {
        for (let column = first; column < end; column++)
          moved[start + column * rows + row] = values[start + row * columns + column];
      }
    }
  }
  return moved;
}

/** Permutes the leading axes, of these lengths; the rows behind them are copied whole. */
function transposeRows(
  values: Float32Array,
  lengths: readonly number[],
  axes: readonly number[],
  row: number,
): Float32Array {
  const strides = lengths.map((_, axis) => lengths.slice(axis + 1).reduce((all, size) => all * size, row));
  const moved = new Float32Array(values.length);
  const index = axes.map(() => 0);
  let from = 0;
  for (let to = 0; to < values.length; to += row) {
    moved.set(values.subarray(from, from + row), to);
    for (let i = axes.length - 1; i >= 0; i--) {
      from += strides[axes[i]];
      if (++index[i] < lengths[axes[i]]) break;
      from -= index[i] * strides[axes[i]];
      index[i] = 0;
    }
  }
  return moved;
}

/** A node in model.json. */
export interface TopologyNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: Readonly<Record<string, unknown>>;
}

const MAX_RANK = 16;
const SIZES = listOf(integer(0), 0, MAX_RANK);

/**
 * Reads the layout from a `Const` node; undefined if it has none. Untrusted.
 * @param size number of values of the constant
 * @throws {Error} if it contradicts itself or the constant.
 */
export function readLayout({ name, attr = {} }: TopologyNode, size: number): TorchLayout | undefined {
  if (!(LAYOUT_ATTRIBUTES.shape in attr)) return undefined;
  const what = `the weight ${quote(name)}`;
  const sizes = (attribute: string): number[] => {
    const list = (attr[attribute] as { list?: { i?: unknown } } | undefined)?.list;
    const values =
      isRecord(list) && Array.isArray(list.i) ? list.i.map(Number) : isRecord(list) ? [] : undefined;
    SIZES(values, `${what}: ${attribute}`);
    return values as number[];
  };
  const shape = sizes(LAYOUT_ATTRIBUTES.shape);
  const view = LAYOUT_ATTRIBUTES.view in attr ? sizes(LAYOUT_ATTRIBUTES.view) : undefined;
  const axes = sizes(LAYOUT_ATTRIBUTES.axes);
  const axesOf = view ?? shape;
  if (axes.length !== axesOf.length || axesOf.some((_, axis) => !axes.includes(axis))) {
    throw new Error(
      `${what}: ${LAYOUT_ATTRIBUTES.axes} is [${axes}], expected the axes of [${axesOf}] in some order`,
    );
  }
  for (const each of view ? [shape, view] : [shape]) {
    const elements = sizeOf(each);
    if (elements !== size) {
      throw new Error(`${what} has ${size} values, its shape in PyTorch [${each}] holds ${elements}`);
    }
  }
  return { shape, axes, ...(view && { view }) };
}
