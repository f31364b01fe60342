/**
 * Values of tensors on the host, for checks: ids by which a kernel addresses memory are checked before it runs. A
 * backend that reads asynchronously only cannot be asked for them in the middle of an op. There they are known of
 * tensors that the backend has not moved to its device yet, and of those that were read ahead; all others are refused,
 * except what ops of this package made themselves, which is not read at all.
 */
import { getBackend, type KernelBackend, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends.js';
import { OpError, showShape } from '../ops/input_checks.js';

/** The values of a tensor on the host, flat and row-major. */
export type HostArray = Float32Array | Int32Array;

/** The values of a tensor that are on the host still; undefined where reading would mean waiting. */
export type HostValuesOf = (backend: KernelBackend, tensor: TensorInfo) => HostArray | undefined;

const nothing: HostValuesOf = () => undefined;
const asynchronous = new Map<string, HostValuesOf>(
  BACKENDS.filter(({ readsSynchronously }) => !readsSynchronously).map(({ name }) => [name, nothing]),
);
const readBefore = new WeakMap<object, HostArray>();

/**
 * Declares that tensors on a backend cannot be read synchronously: its `readSync` is not called.
 * @param hostValuesOf what is known without reading; by default nothing.
 */
export function readAsynchronously(backendName: string, hostValuesOf: HostValuesOf = nothing): void {
  asynchronous.set(backendName, hostValuesOf);
}

/** Whether tensors on the current backend cannot be read synchronously. */
export function mustWaitForValues(): boolean {
  return asynchronous.has(getBackend());
}

/**
 * The values of a tensor on the current backend. Waits for that, unless it reads asynchronously only.
 * @throws {OpError} when it does, and the values are not known.
 */
export function readValues(op: string, backend: KernelBackend, tensor: TensorInfo): HostArray {
  if (!mustWaitForValues()) return backend.readSync(tensor.dataId) as HostArray;
  const values = knownValues(backend, tensor);
  if (values) return values;
  throw new OpError(
    op,
    `the values of a ${tensor.dtype} tensor of shape ${showShape(tensor.shape)} are needed on the host, and the backend ` +
      `'${getBackend()}' has them on its device; expected values from the host, a tree of boruvkaMST, or ` +
      'await readForChecks(tensor) before',
  );
}

/** The values of a tensor on a backend that reads asynchronously only, where they are known. */
export function knownValues(backend: KernelBackend, tensor: TensorInfo): HostArray | undefined {
  return readBefore.get(tensor.dataId) ?? asynchronous.get(getBackend())?.(backend, tensor);
}

/**
 * Reads tensors, so that ops can check their values on a backend that reads asynchronously only: trees and edges that
 * neither come from the host nor from an op of this package. On other backends there is no need to.
 */
export async function readForChecks(...tensors: Tensor[]): Promise<void> {
  await Promise.all(
    tensors.map(async (tensor) => {
      readBefore.set(tensor.dataId, (await tensor.data()) as HostArray);
    }),
  );
}
