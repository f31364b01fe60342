/**
 * Reads tensor values on the host, for checks: ids by which a kernel addresses memory are checked before it runs. A backend
 * that can only be read asynchronously cannot provide them in the middle of an op. There, values are known for tensors that
 * the backend has not yet moved to its device, and for those read in advance; all others are rejected, except for results of
 * this package's ops, which are never read.
 */
import { getBackend, type KernelBackend, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends.js';
import { OpError, showShape } from '../ops/input_checks.js';

/** The values of a tensor on the host, flat and row-major. */
export type HostArray = Float32Array | Int32Array;

/** Returns the values of a tensor that are still on the host; undefined if reading would have to wait. */
export type HostValuesOf = (backend: KernelBackend, tensor: TensorInfo) => HostArray | undefined;

const nothing: HostValuesOf = () => undefined;
const asynchronous = new Map<string, HostValuesOf>(
  BACKENDS.filter(({ readsSynchronously }) => !readsSynchronously).map(({ name }) => [name, nothing]),
);
const readBefore = new WeakMap<object, HostArray>();

/**
 * Declares that tensors on a backend cannot be read synchronously: its `readSync` is not called.
 * @param hostValuesOf returns values known without reading; by default none.
 */
export function readAsynchronously(backendName: string, hostValuesOf: HostValuesOf = nothing): void {
  asynchronous.set(backendName, hostValuesOf);
}

/** Whether tensors on the current backend cannot be read synchronously. */
export function mustWaitForValues(): boolean {
  return asynchronous.has(getBackend());
}

/**
 * Reads the values of a tensor on the current backend. Blocks until they are available, unless the backend can only be read
 * asynchronously.
 * @throws {OpError} if it is such a backend and the values are not known.
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

/** Returns the values of a tensor on a backend that can only be read asynchronously, if they are known. */
export function knownValues(backend: KernelBackend, tensor: TensorInfo): HostArray | undefined {
  return readBefore.get(tensor.dataId) ?? asynchronous.get(getBackend())?.(backend, tensor);
}

/**
 * Reads tensors in advance, so that ops can check their values on a backend that can only be read asynchronously: trees and
 * edges that come neither from the host nor from an op of this package. Not needed on other backends.
 */
export async function readForChecks(...tensors: Tensor[]): Promise<void> {
  await Promise.all(
    tensors.map(async (tensor) => {
      readBefore.set(tensor.dataId, (await tensor.data()) as HostArray);
    }),
  );
}
