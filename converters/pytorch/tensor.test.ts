// Stored tensors: strides, types, bounded reading; and the helpers that they use.

import t from 'tap';
import { encodeSafetensors } from '../../plugin/models/safetensors_writer.js';
import { bytesSource } from '../byte_source.js';
import { openCheckpoint } from './checkpoint.js';
import { crc32, javascriptCrc32 } from './crc32.js';
import type { DType } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { GATHER_BYTES } from './limits.js';
import { javascriptSha256, newSha256 } from './sha256.js';
import { stateDicts } from './state_dict.js';
import { StoredTensor, TensorStorage } from './tensor.js';
import {
  MadeOrderedDict,
  type MadeStorage,
  MadeTensor,
  madeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from './testing/torch_writer.js';
import { toFloat32 } from './widen.js';

async function roundTrip(
  tensors: Readonly<Record<string, MadeTensor>>,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const root = new MadeOrderedDict(new Map<Picklable, Picklable>(Object.entries(tensors)));
  const zip = stateDicts(await openCheckpoint(bytesSource(await torchZipBytes(root))))[0];
  const legacy = stateDicts(await openCheckpoint(bytesSource(torchLegacyBytes(root))))[0];
  for (const [name, tensor] of zip.entries) {
    const other = legacy.entries.get(name);
    t.same(other?.shape, tensor.shape);
    if (tensor.dtype !== 'complex64')
      t.same(await other?.read(), await tensor.read(), `${name}: legacy equals zip`);
  }
  return zip.entries;
}

t.test('views of a shared storage', async (t) => {
  const storage: MadeStorage = {
    dtype: 'int32',
    elements: 24,
    bytes: new Uint8Array(Int32Array.from({ length: 24 }, (_, i) => i).buffer),
  };
  const views = await roundTrip({
    whole: new MadeTensor(storage, [4, 6]),
    transposed: new MadeTensor(storage, [6, 4], [1, 6]),
    rows: new MadeTensor(storage, [2, 6], [12, 1], 6),
    column: new MadeTensor(storage, [4], [6], 5),
    block: new MadeTensor(storage, [2, 2, 2], [12, 1, 6], 2),
    permuted: new MadeTensor(storage, [3, 2, 4], [1, 12, 3]),
    expanded: new MadeTensor(storage, [2, 3], [0, 1], 21),
    windows: new MadeTensor(storage, [4, 3], [1, 1], 0),
    scalar: new MadeTensor(storage, [], [], 23),
    empty: new MadeTensor(storage, [3, 0], [1, 1], 24),
  });
  const expected: Record<string, number[]> = {
    whole: [...Array(24).keys()],
    transposed: [...Array(24).keys()].map((i) => (i % 4) * 6 + Math.floor(i / 4)),
    rows: [6, 7, 8, 9, 10, 11, 18, 19, 20, 21, 22, 23],
    column: [5, 11, 17, 23],
    block: [2, 8, 3, 9, 14, 20, 15, 21],
    permuted: [...Array(24).keys()].map(
      (i) => Math.floor(i / 8) + 12 * (Math.floor(i / 4) % 2) + 3 * (i % 4),
    ),
    expanded: [21, 22, 23, 21, 22, 23],
    windows: [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5],
    scalar: [23],
    empty: [],
  };
  const shared = views.get('whole')?.storage;
  for (const [name, values] of Object.entries(expected)) {
    const tensor = views.get(name);
    t.same(await tensor?.read(), Int32Array.from(values), name);
    t.equal(tensor?.storage, shared, `${name} shares the storage`);
  }
});

t.test('a read asks for no more than the tensor spans, a bounded piece at a time', async (t) => {
  const elements = 3 * GATHER_BYTES;
  const reads: [number, number][] = [];
  const source = {
    name: 'virtual',
    size: elements,
    async read(offset: number, length: number) {
      reads.push([offset, length]);
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = (offset + i) % 251;
      return bytes;
    },
  };
  const storage = new TensorStorage(source, '0', 'uint8', elements, 0);
  const make = (shape: number[], strides: number[], offset: number): StoredTensor =>
    new StoredTensor({ storage, dtype: 'uint8', shape, strides, offset });
  const few = await make([4, 3], [elements / 4, 1], 100).read();
  t.same(
    [...few],
    [0, 1, 2, 3].flatMap((row) => [0, 1, 2].map((i) => (100 + (row * elements) / 4 + i) % 251)),
  );
  t.ok(Math.max(...reads.map(([, length]) => length)) <= GATHER_BYTES, 'bounded');
  t.equal(Math.min(...reads.map(([offset]) => offset)), 100, 'starts at the first value');
  t.equal(Math.max(...reads.map(([offset, length]) => offset + length)), 100 + (3 * elements) / 4 + 3);
  reads.length = 0;
  const columns = 6 * 1024;
  const rows = elements / columns;
  const transposed = await make([columns, rows], [1, columns], 0).read();
  const wrong = Array.from({ length: 5000 }, (_, i) => i * 10_007).filter(
    (i) => transposed[i] !== ((i % rows) * columns + Math.floor(i / rows)) % 251,
  );
  t.same(wrong, [], 'transposed');
  t.ok(Math.max(...reads.map(([, length]) => length)) <= GATHER_BYTES, 'bounded');
  t.equal(
    reads.reduce((sum, [, length]) => sum + length, 0),
    elements,
    'each byte once',
  );
});

t.test('types', async (t) => {
  const values: readonly (readonly [DType, ArrayBufferView, number[]])[] = [
    ['float32', new Float32Array([1.5, -0]), [1.5, -0]],
    ['float64', new Float64Array([0.1, 1e300]), [Math.fround(0.1), Number.POSITIVE_INFINITY]],
    ['int8', new Int8Array([-128, 127]), [-128, 127]],
    ['int16', new Int16Array([-32768, 5]), [-32768, 5]],
    ['int32', new Int32Array([-(2 ** 31), 16777217]), [-(2 ** 31), 16777216]],
    ['int64', new BigInt64Array([-(2n ** 63n), 3n]), [-(2 ** 63), 3]],
    ['uint8', new Uint8Array([255, 0]), [255, 0]],
    ['bool', new Uint8Array([1, 0]), [1, 0]],
    ['float16', new Uint16Array([0x3c00, 0xc000]), [1, -2]],
    ['bfloat16', new Uint16Array([0x3f80, 0xc000]), [1, -2]],
  ];
  const tensors = await roundTrip({
    ...Object.fromEntries(values.map(([dtype, data]) => [dtype, madeTensor(dtype, [2], data)])),
    complex64: madeTensor('complex64', [1], new Float32Array([1, 2])),
  });
  for (const [dtype, data, wide] of values) {
    const tensor = tensors.get(dtype);
    t.equal(tensor?.dtype, dtype);
    const stored = await tensor?.read();
    t.same([...(stored ?? [])].map(String), [...(data as Uint8Array)].map(String), dtype);
    t.same([...((await tensor?.readFloat32()) ?? [])], wide, `${dtype} as float32`);
  }
  const complex = tensors.get('complex64');
  t.same([complex?.dtype, complex?.shape], ['complex64', [1]], 'listed');
  const error = await complex?.readFloat32().catch((reason: unknown) => reason);
  t.ok(error instanceof CheckpointError && error.code === 'dtype', 'and refused when read');
});

t.test('all half precision values widen exactly', (t) => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const half = toFloat32(all, 'float16');
  const brain = new Uint32Array(toFloat32(all, 'bfloat16').buffer);
  let wrong = 0;
  for (let bits = 0; bits < 65536; bits++) {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    const special = fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    const finite = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    if (!Object.is(half[bits], exponent === 31 ? special : sign * finite)) wrong++;
    if (brain[bits] !== (bits << 16) >>> 0) wrong++;
  }
  t.equal(wrong, 0);
  t.end();
});

t.test('encodeSafetensors', async (t) => {
  const bytes = encodeSafetensors(
    [
      { name: 'image', dtype: 'F32', shape: [2, 1], data: new Float32Array([1, 2]) },
      { name: 'tree "q"', dtype: 'I32', shape: [], data: new Int32Array([-7]) },
      { name: 'none', dtype: 'U8', shape: [0, 3], data: new Uint8Array(0) },
    ],
    { note: 'naïve' },
  );
  const checkpoint = await openCheckpoint(bytesSource(bytes));
  const { entries } = stateDicts(checkpoint)[0];
  t.equal(checkpoint.metadata.get('note'), 'naïve');
  t.equal(new DataView(bytes.buffer).getUint32(0, true) % 8, 0, 'padded');
  t.same(await entries.get('image')?.read(), new Float32Array([1, 2]));
  t.same(await entries.get('tree "q"')?.read(), new Int32Array([-7]));
  t.same(entries.get('none')?.shape, [0, 3]);
  const one = { name: 'a', dtype: 'F32', shape: [1], data: new Float32Array(1) } as const;
  t.throws(() => encodeSafetensors([one, one]), /taken/);
  t.throws(() => encodeSafetensors([{ ...one, name: '__metadata__' }]), /taken/);
  t.throws(() => encodeSafetensors([{ ...one, shape: [2] }]), /8 are expected/);
});

t.test('crc32, sha256 and quote', (t) => {
  const text = new TextEncoder().encode('123456789');
  const long = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
  for (const sum of [crc32, javascriptCrc32]) {
    t.equal(sum(text), 0xcbf43926, "the polynomial's check value");
    t.equal(sum(text.subarray(4), sum(text.subarray(0, 4))), 0xcbf43926, 'in two pieces');
    for (const cut of [1, 7, 8, 9, 501])
      t.equal(sum(long.subarray(cut), sum(long.subarray(0, cut))), javascriptCrc32(long));
  }
  for (const hash of [newSha256(), javascriptSha256()]) {
    hash.update(text.subarray(0, 4));
    hash.update(text.subarray(4));
    t.equal(hash.finish(), '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225');
  }
  t.equal(quote('a\u001b[31m"\\\n\u202e'), '"a\\u001b[31m\\"\\\\\\u000a\\u202e"');
  t.equal(quote('x'.repeat(500)).length, 125);
  t.end();
});
