// Types of stored values, by torch's names.

/** Values of a tensor in row-major order. float16 and bfloat16 are the stored 16 bits; bool is one byte per value. */
export type TensorValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array;

/** Other names of a type. */
interface Names {
  /** torch's storage class. */
  readonly storage?: string;
  /** The type in safetensors headers. */
  readonly safetensors?: string;
  /** NumPy's kind and bytes. */
  readonly numpy?: string;
  /** The synonym of `torch.float32`... */
  readonly synonym?: string;
}

/** A type's array over its bytes (every current JavaScript platform is little-endian). */
interface Values {
  readonly array: (new (buffer: ArrayBuffer) => TensorValues) & { readonly BYTES_PER_ELEMENT: number };
}

/** Types whose values can be read. */
const READABLE = {
  float16: { array: Uint16Array, storage: 'HalfStorage', safetensors: 'F16', numpy: 'f2', synonym: 'half' },
  bfloat16: { array: Uint16Array, storage: 'BFloat16Storage', safetensors: 'BF16' },
  float32: {
    array: Float32Array,
    storage: 'FloatStorage',
    safetensors: 'F32',
    numpy: 'f4',
    synonym: 'float',
  },
  float64: {
    array: Float64Array,
    storage: 'DoubleStorage',
    safetensors: 'F64',
    numpy: 'f8',
    synonym: 'double',
  },
  int8: { array: Int8Array, storage: 'CharStorage', safetensors: 'I8', numpy: 'i1' },
  int16: { array: Int16Array, storage: 'ShortStorage', safetensors: 'I16', numpy: 'i2', synonym: 'short' },
  int32: { array: Int32Array, storage: 'IntStorage', safetensors: 'I32', numpy: 'i4', synonym: 'int' },
  int64: { array: BigInt64Array, storage: 'LongStorage', safetensors: 'I64', numpy: 'i8', synonym: 'long' },
  uint8: { array: Uint8Array, storage: 'ByteStorage', safetensors: 'U8', numpy: 'u1' },
  bool: { array: Uint8Array, storage: 'BoolStorage', safetensors: 'BOOL', numpy: 'b1' },
} satisfies Record<string, Names & Values>;

/** Types that are listed with their shapes and sizes, but whose values are refused. */
const UNREADABLE = {
  complex32: { bytes: 4 },
  complex64: { bytes: 8, storage: 'ComplexFloatStorage', safetensors: 'C64' },
  complex128: { bytes: 16, storage: 'ComplexDoubleStorage' },
  uint16: { bytes: 2, safetensors: 'U16' },
  uint32: { bytes: 4, safetensors: 'U32' },
  uint64: { bytes: 8, safetensors: 'U64' },
  float8_e4m3fn: { bytes: 1, safetensors: 'F8_E4M3' },
  float8_e5m2: { bytes: 1, safetensors: 'F8_E5M2' },
  float8_e4m3fnuz: { bytes: 1 },
  float8_e5m2fnuz: { bytes: 1 },
  qint8: { bytes: 1, storage: 'QInt8Storage' },
  quint8: { bytes: 1, storage: 'QUInt8Storage' },
  qint32: { bytes: 4, storage: 'QInt32Storage' },
} satisfies Record<string, Names & { readonly bytes: number }>;

export type ReadableDType = keyof typeof READABLE;
export type DType = ReadableDType | keyof typeof UNREADABLE;

const TYPES = Object.entries({ ...READABLE, ...UNREADABLE }) as [
  DType,
  Names & (Values | { bytes: number }),
][];

/** Bytes per value. */
export const ITEM_BYTES = Object.fromEntries(
  TYPES.map(([dtype, type]) => [dtype, 'array' in type ? type.array.BYTES_PER_ELEMENT : type.bytes]),
) as Readonly<Record<DType, number>>;

export function isReadable(dtype: DType): dtype is ReadableDType {
  return dtype in READABLE;
}

/** The values of a readable type in its bytes. */
export function typedValues(dtype: ReadableDType, buffer: ArrayBuffer): TensorValues {
  return new READABLE[dtype].array(buffer);
}

function named(kind: keyof Names): [string, DType][] {
  return TYPES.flatMap(([dtype, { [kind]: name }]) => (name === undefined ? [] : [[name, dtype]]));
}

/** torch's storage classes (`torch.FloatStorage`...); the untyped class counts bytes. */
export const STORAGE_DTYPES: ReadonlyMap<string, DType> = new Map([
  ...named('storage'),
  ['UntypedStorage', 'uint8'],
]);

/** `torch.float32` and its synonyms. */
export const TORCH_DTYPES: ReadonlyMap<string, DType> = new Map([
  ...TYPES.map(([dtype]): [string, DType] => [dtype, dtype]),
  ...named('synonym'),
]);

/** Type names in safetensors headers. */
export const SAFETENSORS_DTYPES: ReadonlyMap<string, DType> = new Map(named('safetensors'));

/** NumPy's types: kind and bytes. */
export const NUMPY_DTYPES: ReadonlyMap<string, DType> = new Map(named('numpy'));
