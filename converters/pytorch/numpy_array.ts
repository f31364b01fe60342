// Converts pickled NumPy arrays to tensors over the bytes in the pickle. Source of the layout: `ndarray.__reduce__` and
// `dtype.__reduce__` in numpy/_core/src/multiarray.

import { type ByteSource, bytesSource } from '../byte_source.js';
import { elementsOf } from '../parameters.js';
import { type DType, ITEM_BYTES, NUMPY_DTYPES } from './dtype.js';
import { MAX_RANK } from './limits.js';
import { InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { rowMajorStrides, StoredTensor, TensorStorage } from './tensor.js';

/** Modules of `_reconstruct` and `_frombuffer` in NumPy 1 and 2. */
const RECONSTRUCT = /^numpy\._?core\.multiarray\._reconstruct$/;
const FROM_BUFFER = /^numpy\._?core\.numeric\._frombuffer$/;

interface ArrayType {
  readonly dtype: DType;
  readonly bigEndian: boolean;
}

/** `numpy.dtype('f4', False, True)` with the state (3, '<', None, None, None, -1, -1, 0). */
function readType(value: PickleValue | undefined): ArrayType | undefined {
  if (!(value instanceof InertObject) || value.class !== 'numpy.dtype') return undefined;
  const [name] = value.args;
  const match = typeof name === 'string' ? /^([<>|=]?)([fiub][1248])$/.exec(name) : null;
  const dtype = NUMPY_DTYPES.get(match?.[2] ?? '');
  const state = value.state instanceof PickleTuple ? value.state.items : [];
  const order = typeof state[1] === 'string' ? state[1] : match?.[1];
  // Names, fields and sub-arrays mean a structured type.
  const structured = state.slice(2, 5).some((part) => part !== null);
  return dtype === undefined || structured ? undefined : { dtype, bigEndian: order === '>' };
}

/** The bytes of a source of `itemBytes`-sized values, with the byte order of each reversed. */
function swapped(source: ByteSource, itemBytes: number): ByteSource {
  return {
    name: source.name,
    size: source.size,
    async read(offset, length) {
      const bytes = (await source.read(offset, length)).slice();
      for (let at = 0; at < length; at += itemBytes) bytes.subarray(at, at + itemBytes).reverse();
      return bytes;
    },
  };
}

interface ArrayParts {
  readonly type: PickleValue | undefined;
  readonly shape: PickleValue | undefined;
  readonly bytes: PickleValue | undefined;
  readonly fortran: boolean;
}

function partsOf(object: InertObject): ArrayParts | undefined {
  if (RECONSTRUCT.test(object.class)) {
    const state = object.state instanceof PickleTuple ? object.state.items : [];
    const [, shape, type, fortran, bytes] = state;
    return { type, shape, bytes, fortran: fortran === true || fortran === 1 };
  }
  if (!FROM_BUFFER.test(object.class)) return undefined;
  const [bytes, type, shape, order] = object.args;
  return { type, shape, bytes, fortran: order === 'F' };
}

/** The array as a tensor; undefined for all other objects, and for arrays of anything but numbers. */
export function arrayTensor(object: InertObject): StoredTensor | undefined {
  const parts = partsOf(object);
  const type = readType(parts?.type);
  const items = parts?.shape instanceof PickleTuple ? parts.shape.items : undefined;
  if (parts === undefined || type === undefined || items === undefined || items.length > MAX_RANK)
    return undefined;
  const shape = items.filter((size): size is number => Number.isSafeInteger(size) && (size as number) >= 0);
  const { bytes } = parts;
  if (shape.length !== items.length || !(bytes instanceof Uint8Array)) return undefined;
  const itemBytes = ITEM_BYTES[type.dtype];
  const elements = elementsOf(shape);
  if (elements * itemBytes !== bytes.byteLength) return undefined;
  const plain = bytesSource(bytes, 'an array in the pickle');
  const source = type.bigEndian ? swapped(plain, itemBytes) : plain;
  const storage = new TensorStorage(source, '', type.dtype, elements, 0);
  const strides = parts.fortran ? rowMajorStrides([...shape].reverse()).reverse() : rowMajorStrides(shape);
  return new StoredTensor({ storage, dtype: type.dtype, shape, strides, offset: 0 });
}
