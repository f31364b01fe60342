// Reimplementations of torch's functions that make tensors from storages. Source of their arguments: torch/_utils.py and
// torch/_tensor.py of PyTorch 0.3 to 2.9.

import { type DType, TORCH_DTYPES } from './dtype.js';
import { CheckpointError, quote } from './errors.js';
import { MAX_RANK } from './limits.js';
import { InertGlobal, InertObject, PickleTuple, type PickleValue } from './pickle_values.js';
import { StoredTensor, TensorStorage } from './tensor.js';

type Arguments = readonly PickleValue[];
type Rebuild = (args: Arguments, path: string, offset: number) => StoredTensor;

export function malformed(path: string, expected: string, offset: number): never {
  throw new CheckpointError('tensor-format', `the arguments of ${path} are not ${expected}`, offset);
}

export function sizes(path: string, value: PickleValue | undefined, offset: number): number[] {
  const items =
    value instanceof PickleTuple ? value.items : malformed(path, 'tuples of sizes and strides', offset);
  if (items.length > MAX_RANK) malformed(path, `at most ${MAX_RANK} sizes`, offset);
  return items.map((item) => (typeof item === 'number' ? item : malformed(path, 'plain numbers', offset)));
}

function torchDtype(path: string, value: PickleValue | undefined, offset: number): DType {
  const dtype =
    value instanceof InertGlobal && value.module === 'torch' ? TORCH_DTYPES.get(value.name) : undefined;
  return dtype ?? malformed(path, 'a tensor of a known dtype', offset);
}

function shownGlobal(value: PickleValue | undefined): string {
  return value instanceof InertGlobal ? value.path : 'unknown';
}

/** The flags that torch stores with a tensor: `neg` (applied), `conj` and those added by backends (refused). */
function readMetadata(
  path: string,
  value: PickleValue | undefined,
  offset: number,
): { readonly negated: boolean; readonly problem?: string } {
  if (value === undefined || value === null || value === false) return { negated: false };
  if (!(value instanceof Map)) return malformed(path, 'a tensor with a dict of metadata', offset);
  const set = [...value].filter(([, flag]) => flag !== false && flag !== null).map(([key]) => key);
  const unknown = set.filter((key) => key !== 'neg');
  const negated = set.length > unknown.length;
  if (unknown.length === 0) return { negated };
  const names = unknown.map((key) => (typeof key === 'string' ? quote(key) : 'one without a name'));
  const advice = 'save tensor.resolve_conj().resolve_neg().clone() instead';
  return { negated, problem: `has metadata that is not known here (${names.join(', ')}); ${advice}` };
}

function rebuildTensor(
  args: Arguments,
  path: string,
  at: number,
  dtype: DType | undefined,
  metadata: PickleValue | undefined,
): StoredTensor {
  const [storage, offset, shape, strides] = args;
  // torch_npu passes the tensor on the CPU where torch passes its storage.
  const held = storage instanceof StoredTensor ? storage.storage : storage;
  if (!(held instanceof TensorStorage)) return malformed(path, 'a storage and its view', at);
  if (typeof offset !== 'number') return malformed(path, 'a storage and a plain offset', at);
  const { negated, problem } = readMetadata(path, metadata, at);
  const view = { offset, shape: sizes(path, shape, at), strides: sizes(path, strides, at), negated };
  const tensor = new StoredTensor({ storage: held, ...view, dtype: dtype ?? held.dtype }, at);
  return problem === undefined ? tensor : StoredTensor.unreadable(tensor.dtype, tensor.shape, problem, at);
}

/** Floating-point types by width: a cast to a wider one preserves every value. */
const FLOAT_WIDTH: Readonly<Partial<Record<DType, number>>> = {
  float16: 2,
  bfloat16: 2,
  float32: 4,
  float64: 8,
};

/** A tensor of an accelerator, saved as a CPU tensor or array: (data, dtype, device, requires_grad). */
const rebuildDeviceTensor: Rebuild = (args, path, at) => {
  const [tensor, dtypeName] = args;
  if (!(tensor instanceof StoredTensor)) return malformed(path, 'a tensor or an array of numbers', at);
  const dtype = torchDtype(path, dtypeName, at);
  const [from, to] = [FLOAT_WIDTH[tensor.dtype] ?? 0, FLOAT_WIDTH[dtype] ?? 0];
  // NumPy has no bfloat16: torch saves such tensors as float32, and the conversion back is lossless.
  const keeps = dtype === tensor.dtype || (from > 0 && to > from) || (from === 4 && dtype === 'bfloat16');
  if (keeps) return tensor;
  const problem = `is saved as ${tensor.dtype} and rebuilt as ${dtype}, which changes its values; save tensor.cpu()`;
  return StoredTensor.unreadable(dtype, tensor.shape, problem, at);
};

/** A dtype argument that only describes missing values. */
function describedDtype(value: PickleValue | undefined): DType {
  const known = value instanceof InertGlobal ? TORCH_DTYPES.get(value.name) : undefined;
  return known ?? 'float32';
}

const rebuildParameter: Rebuild = ([data], path, at) =>
  data instanceof StoredTensor ? data.asParameter() : malformed(path, 'a tensor', at);

const rebuildTensorV2: Rebuild = (args, path, at) => rebuildTensor(args, path, at, undefined, args[6]);

/** A tensor with its own attributes: (rebuild function, class, arguments, attributes). */
const rebuildFromType: Rebuild = ([rebuild, , inner], path, at) => {
  const known = rebuild instanceof InertGlobal ? findRebuild(rebuild) : undefined;
  if (known === undefined || known === rebuildFromType || !(inner instanceof PickleTuple)) {
    return malformed(path, 'a tensor to rebuild', at);
  }
  return known(inner.items, (rebuild as InertGlobal).path, at);
};

const REBUILDS: Readonly<Record<string, Rebuild>> = {
  'torch._utils._rebuild_tensor': (args, path, at) => rebuildTensor(args, path, at, undefined, undefined),
  'torch._utils._rebuild_tensor_v2': rebuildTensorV2,
  'torch._utils._rebuild_tensor_v3': (args, path, at) =>
    rebuildTensor(args, path, at, torchDtype(path, args[6], at), args[7]),
  'torch._utils._rebuild_parameter': rebuildParameter,
  'torch._utils._rebuild_parameter_with_state': rebuildParameter,
  'torch._tensor._rebuild_from_type': rebuildFromType,
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch.tensor._rebuild_from_type': rebuildFromType,
  'torch._utils._rebuild_device_tensor_from_numpy': rebuildDeviceTensor,
  'torch._utils._rebuild_device_tensor_from_cpu_tensor': rebuildDeviceTensor,
  'torch._utils._rebuild_xla_tensor': rebuildDeviceTensor,
  'torch._utils._rebuild_mlc_tensor': rebuildDeviceTensor,
  'torch._utils._rebuild_ort_tensor': rebuildDeviceTensor,
  'torch_npu.utils.storage._rebuild_npu_tensor': (args, path, at) =>
    rebuildTensor(args, path, at, undefined, undefined),
  'torch._utils._rebuild_meta_tensor_no_storage': ([dtype, shape], path, at) => {
    const problem = 'is on the meta device: it has a shape and no values; load the weights before saving';
    return StoredTensor.unreadable(describedDtype(dtype), sizes(path, shape, at), problem, at);
  },
  'torch._utils._rebuild_qtensor': ([storage, , shape], path, at) => {
    const dtype = storage instanceof TensorStorage ? storage.dtype : 'qint8';
    const problem = `is quantised (${dtype}); save tensor.dequantize() instead`;
    return StoredTensor.unreadable(dtype, sizes(path, shape, at), problem, at);
  },
  'torch._utils._rebuild_sparse_tensor': ([layout, data], path, at) => {
    const parts = data instanceof PickleTuple ? data.items : [];
    const named = layout instanceof InertObject ? layout.args[0] : undefined;
    const values = parts.find(
      (part, i) => i > 0 && part instanceof StoredTensor && part.dtype in FLOAT_WIDTH,
    );
    const shape = parts.find((part) => part instanceof PickleTuple);
    const dtype = values instanceof StoredTensor ? values.dtype : 'float32';
    const problem = `is sparse (${typeof named === 'string' ? quote(named) : 'torch.sparse_coo'}); save tensor.to_dense() instead`;
    return StoredTensor.unreadable(dtype, sizes(path, shape, at), problem, at);
  },
  'torch._utils._rebuild_nested_tensor': ([buffer], _, at) => {
    const dtype = buffer instanceof StoredTensor ? buffer.dtype : 'float32';
    const problem = 'is nested: a list of tensors of different sizes; save each of them';
    return StoredTensor.unreadable(dtype, [], problem, at);
  },
  'torch._utils._rebuild_wrapper_subclass': ([kind, dtype, shape], path, at) => {
    const problem = `is of class ${quote(shownGlobal(kind))}, which keeps its values elsewhere; save plain tensors`;
    return StoredTensor.unreadable(describedDtype(dtype), sizes(path, shape, at), problem, at);
  },
};

/**
 * The implementation of one of torch's functions that rebuild tensors, such as `torch._utils._rebuild_tensor_v2`; undefined for
 * every other name.
 */
export function findRebuild({ path }: InertGlobal): Rebuild | undefined {
  return Object.hasOwn(REBUILDS, path) ? REBUILDS[path] : undefined;
}
