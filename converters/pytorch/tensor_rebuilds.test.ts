// Tensors that torch does not rebuild from a storage and a view: from other devices, with bits that change the values, as NumPy
// arrays, and those whose values are missing or unreadable.

import t, { type Test } from 'tap';
import type { DType } from './dtype.js';
import { CheckpointError } from './errors.js';
import type { PickleValue } from './pickle_values.js';
import { StoredTensor } from './tensor.js';
import { open, refused } from './testing/attack.js';
import {
  MadeGlobal,
  MadeObject,
  MadeTensor,
  MadeTuple,
  madeTensor,
  type Picklable,
  torchLegacyBytes,
  torchZipBytes,
} from './testing/torch_writer.js';

const call = (module: string, name: string, ...args: readonly Picklable[]): MadeObject =>
  new MadeObject(new MadeGlobal(module, name), { args, call: true });
const utils = (name: string, ...args: readonly Picklable[]): MadeObject =>
  call('torch._utils', name, ...args);
const dtype = (name: string): MadeGlobal => new MadeGlobal('torch', name);
const tuple = (...items: readonly Picklable[]): MadeTuple => new MadeTuple(...items);

/** The tensor under the key `w` of a file, in both containers. */
async function tensorsOf(value: Picklable): Promise<StoredTensor[]> {
  const root = new Map<Picklable, Picklable>([['w', value]]);
  const tensors: StoredTensor[] = [];
  for (const bytes of [await torchZipBytes(root), torchLegacyBytes(root)]) {
    const tensor = ((await open(bytes)).root as ReadonlyMap<PickleValue, PickleValue>).get('w');
    if (!(tensor instanceof StoredTensor)) throw new Error('no tensor');
    tensors.push(tensor);
  }
  return tensors;
}

async function reads(
  t: Test,
  what: string,
  value: Picklable,
  shape: number[],
  values: number[],
): Promise<void> {
  for (const tensor of await tensorsOf(value)) {
    t.equal(tensor.problem, undefined, what);
    t.same([tensor.shape, [...(await tensor.readFloat32())]], [shape, values], `${what}: its values`);
  }
}

async function unreadable(
  t: Test,
  what: string,
  value: Picklable,
  shape: number[],
  reason: RegExp,
): Promise<void> {
  for (const tensor of await tensorsOf(value)) {
    t.same(tensor.shape, shape, `${what}: its shape is known`);
    t.match(tensor.problem, reason, `${what}: and why it is not read`);
    const error = await tensor.readFloat32().catch((reason: unknown) => reason);
    t.ok(error instanceof CheckpointError && error.code === 'dtype', `${what}: reading it fails`);
  }
}

const values = new Float32Array([1, -2, 0, 4]);
const plain = madeTensor('float32', [2, 2], values);
const whole = { dtype: 'float32', elements: 4, bytes: new Uint8Array(values.buffer) } as const;

t.test("torch's negative bit", async (t) => {
  const negative = new Map([['neg', true]]);
  await reads(t, 'set', new MadeTensor(whole, [4], [1], 0, negative), [4], [-1, 2, -0, -4]);
  await reads(t, 'a view', new MadeTensor(whole, [2, 2], [1, 2], 0, negative), [2, 2], [-1, -0, 2, -4]);
  await reads(t, 'not set', new MadeTensor(whole, [4], [1], 0, new Map([['neg', false]])), [4], [...values]);
  await reads(t, 'no metadata', new MadeTensor(whole, [4], [1], 0, null), [4], [...values]);
  const parameter = utils('_rebuild_parameter', new MadeTensor(whole, [4], [1], 0, negative), true, null);
  await reads(t, 'of a parameter', parameter, [4], [-1, 2, -0, -4]);
  const types: readonly (readonly [DType, ArrayBufferView, number[]])[] = [
    ['float16', new Uint16Array([0x3c00, 0]), [-1, -0]],
    ['bfloat16', new Uint16Array([0x3f80, 0x8000]), [-1, 0]],
    ['float64', new Float64Array([0.5, -3]), [-0.5, 3]],
    ['int64', new BigInt64Array([5n, -6n]), [-5, 6]],
    ['int32', new Int32Array([5, -6]), [-5, 6]],
    ['int8', new Int8Array([5, -6]), [-5, 6]],
  ];
  for (const [type, stored, expected] of types) {
    const { storage } = madeTensor(type, [2], stored);
    await reads(t, type, new MadeTensor(storage, [2], [1], 0, negative), [2], expected);
  }
});

t.test('metadata that is not known', async (t) => {
  for (const [key, message] of [
    ['conj', /"conj".*resolve_conj/],
    ['npu_format', /"npu_format"/],
  ] as const) {
    const metadata = new Map<Picklable, Picklable>([[key, true]]);
    await unreadable(t, key, new MadeTensor(whole, [4], [1], 0, metadata), [4], message);
  }
  const text = await torchZipBytes([new MadeTensor(whole, [4], [1], 0, 'neg')]);
  await refused(t, 'metadata that is not a dict', text, 'tensor-format', /metadata/);
});

t.test('tensors of other devices', async (t) => {
  for (const device of ['npu:0', 'hpu', 'maia:0', 'mps', 'ipu', 'xla:0']) {
    const cpu = utils('_rebuild_device_tensor_from_cpu_tensor', plain, dtype('float32'), device, true);
    await reads(t, device, cpu, [2, 2], [...values]);
  }
  const view = new MadeTensor(whole, [2], [2], 1);
  const npu = call(
    'torch_npu.utils.storage',
    '_rebuild_npu_tensor',
    plain,
    1,
    tuple(2),
    tuple(2),
    true,
    null,
    29,
  );
  await reads(t, 'torch_npu', npu, [2], [-2, 4]);
  const from = (rebuild: string, data: Picklable, type: string): MadeObject =>
    utils(rebuild, data, dtype(type), 'xla:0', false);
  for (const rebuild of ['_rebuild_device_tensor_from_numpy', '_rebuild_xla_tensor']) {
    const array = numpyArray('f4', tuple(2, 2), bytesOf(values));
    await reads(t, rebuild, from(rebuild, array, 'float32'), [2, 2], [...values]);
    await reads(t, `${rebuild}, bfloat16`, from(rebuild, array, 'bfloat16'), [2, 2], [...values]);
  }
  const wider = from('_rebuild_device_tensor_from_cpu_tensor', view, 'float64');
  await reads(t, 'a wider type', wider, [2], [-2, 4]);
  const narrower = from('_rebuild_device_tensor_from_cpu_tensor', view, 'float16');
  await unreadable(t, 'a narrower type', narrower, [2], /float32 and rebuilt as float16/);
  const parameter = utils(
    '_rebuild_parameter',
    from('_rebuild_device_tensor_from_cpu_tensor', plain, 'float32'),
    true,
    null,
  );
  await reads(t, 'a parameter', parameter, [2, 2], [...values]);
  const broken = await torchZipBytes([from('_rebuild_device_tensor_from_numpy', 'text', 'float32')]);
  await refused(t, 'of a text', broken, 'tensor-format', /array of numbers/);
});

t.test('tensors that are rebuilt with a class and attributes', async (t) => {
  const inner = tuple(plain, true, null);
  const buffer = new MadeGlobal('torch.nn.parameter', 'Buffer');
  for (const [module, name] of [
    ['torch._tensor', '_rebuild_from_type_v2'],
    ['torch._tensor', '_rebuild_from_type'],
  ] as const) {
    const function_ = new MadeGlobal('torch._utils', '_rebuild_parameter');
    await reads(t, name, call(module, name, function_, buffer, inner, new Map()), [2, 2], [...values]);
  }
  const state = utils('_rebuild_parameter_with_state', plain, true, null, new Map([['a', 1]]));
  await reads(t, 'a parameter with attributes', state, [2, 2], [...values]);
});

t.test('tensors whose values are not read', async (t) => {
  const shape = tuple(3, 5);
  const indices = madeTensor('int64', [2, 1], new BigInt64Array([0n, 1n]));
  const entry = madeTensor('float32', [1], new Float32Array([7]));
  const layout = call('torch.serialization', '_get_layout', 'torch.sparse_coo');
  const sparse = utils(
    '_rebuild_sparse_tensor',
    layout,
    tuple(indices, entry, call('torch', 'Size', shape), true),
  );
  await unreadable(t, 'sparse', sparse, [3, 5], /sparse.*to_dense/);
  const compressed = utils('_rebuild_sparse_tensor', layout, tuple(indices, indices, entry, shape));
  await unreadable(t, 'sparse, by rows', compressed, [3, 5], /sparse/);
  const meta = utils('_rebuild_meta_tensor_no_storage', dtype('float32'), shape, tuple(5, 1), false);
  await unreadable(t, 'meta', meta, [3, 5], /meta device/);
  const quantised = utils(
    '_rebuild_qtensor',
    plain,
    0,
    shape,
    tuple(5, 1),
    tuple(dtype('per_tensor_affine'), 0.1, 0),
  );
  await unreadable(t, 'quantised', quantised, [3, 5], /quantised.*dequantize/);
  const kind = new MadeGlobal('torch.distributed.tensor', 'DTensor');
  const wrapper = utils(
    '_rebuild_wrapper_subclass',
    kind,
    dtype('bfloat16'),
    shape,
    tuple(5, 1),
    0,
    null,
    'cpu',
    false,
  );
  await unreadable(t, 'a wrapper', wrapper, [3, 5], /DTensor.*elsewhere/);
  await unreadable(
    t,
    'of a type that is not read',
    madeTensor('complex64', [1], values.subarray(0, 2)),
    [1],
    /complex64/,
  );
  const absurd = await torchZipBytes([
    utils('_rebuild_meta_tensor_no_storage', null, tuple(2 ** 40, 2 ** 40), null),
  ]);
  await refused(t, 'an absurd shape', absurd, 'tensor-bounds', /more values than any memory/);
  const negative = await torchZipBytes([utils('_rebuild_meta_tensor_no_storage', null, tuple(-1), null)]);
  await refused(t, 'a negative size', negative, 'tensor-format');
});

/** Bytes as protocol 2 writes them. */
function bytesOf(view: ArrayBufferView): MadeObject {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return call('_codecs', 'encode', String.fromCharCode(...bytes), 'latin1');
}

function numpyDtype(name: string, order = '<', fields: Picklable = null): MadeObject {
  const state = tuple(3, order, null, fields, null, -1, -1, 0);
  return new MadeObject(new MadeGlobal('numpy', 'dtype'), { args: [name, false, true], call: true, state });
}

function numpyArray(
  type: string | MadeObject,
  shape: MadeTuple,
  bytes: Picklable,
  fortran = false,
  module = 'numpy.core.multiarray',
): MadeObject {
  const args = [new MadeGlobal('numpy', 'ndarray'), tuple(0), bytesOf(new Uint8Array([0x62]))];
  const state = tuple(1, shape, typeof type === 'string' ? numpyDtype(type) : type, fortran, bytes);
  return new MadeObject(new MadeGlobal(module, '_reconstruct'), { args, call: true, state });
}

t.test("NumPy's arrays as weights", async (t) => {
  const bytes = bytesOf(values);
  await reads(t, 'NumPy 1', numpyArray('f4', tuple(2, 2), bytes), [2, 2], [...values]);
  await reads(
    t,
    'NumPy 2',
    numpyArray('f4', tuple(4), bytes, false, 'numpy._core.multiarray'),
    [4],
    [...values],
  );
  await reads(t, 'columns first', numpyArray('f4', tuple(2, 2), bytes, true), [2, 2], [1, 0, -2, 4]);
  await reads(t, 'a number', numpyArray('i8', tuple(), bytesOf(new BigInt64Array([9n]))), [], [9]);
  await reads(t, 'nothing', numpyArray('f4', tuple(0, 3), bytesOf(new Uint8Array(0))), [0, 3], []);
  const swapped = new Uint8Array(values.buffer.slice(0));
  for (let at = 0; at < 16; at += 4) swapped.subarray(at, at + 4).reverse();
  await reads(
    t,
    'big-endian',
    numpyArray(numpyDtype('f4', '>'), tuple(4), bytesOf(swapped)),
    [4],
    [...values],
  );
  const buffer = call('numpy.core.numeric', '_frombuffer', bytes, numpyDtype('f4'), tuple(2, 2), 'F');
  await reads(t, 'protocol 5', buffer, [2, 2], [1, 0, -2, 4]);
  const used = await open(await torchZipBytes(new Map([['w', numpyArray('f4', tuple(4), bytes)]])));
  t.notMatch(used.inertGlobals.join(), /_reconstruct/, 'what is used is not listed as left out');
});

t.test('arrays that are not tensors stay data', async (t) => {
  const bytes = bytesOf(values);
  const cases: readonly (readonly [string, Picklable])[] = [
    ['of objects', numpyArray('O8', tuple(1), [1])],
    ['of texts', numpyArray('U4', tuple(1), bytes)],
    ['structured', numpyArray(numpyDtype('f4', '<', new Map([['a', 1]])), tuple(4), bytes)],
    ['of fewer bytes than its shape', numpyArray('f4', tuple(5), bytes)],
    ['of a shape that is none', numpyArray('f4', tuple(-4, -1), bytes)],
    ['of a shape of texts', numpyArray('f4', tuple('4'), bytes)],
    ['without a state', call('numpy.core.multiarray', '_reconstruct', null)],
    ['of a huge shape', numpyArray('f4', tuple(2 ** 50, 2 ** 50), bytes)],
  ];
  for (const [what, value] of cases) {
    const { root, inertGlobals } = await open(await torchZipBytes(new Map([['w', value]])));
    t.notOk((root as ReadonlyMap<string, unknown>).get('w') instanceof StoredTensor, what);
    t.match(inertGlobals.join(), /_reconstruct \(1\)/, `${what}: listed`);
  }
});
