/**
 * Blocks of memory that are made from a tensor once and kept for as long as tfjs keeps the tensor's values: packed
 * weights. Tensors are immutable, and a variable that is assigned to gets other data, so a block never goes stale.
 * The price is that weights are in memory twice.
 */
import type { KernelBackend, TensorInfo } from '@tensorflow/tfjs-core';
import type { Heap } from './heap.js';

export class DerivedBlocks {
  private readonly blocks = new Map<object, Map<string, number>>();

  /** Blocks of a tensor are freed when `backend` disposes of its values. */
  constructor(
    private readonly heap: Heap,
    backend: KernelBackend,
  ) {
    // tfjs tells nobody when data goes, so its one function for that is wrapped.
    const disposeData = backend.disposeData.bind(backend);
    backend.disposeData = (dataId, force) => {
      const gone = disposeData(dataId, force);
      if (gone) this.free(dataId);
      return gone;
    };
  }

  /** The block called `name` of a tensor; `make` writes it when it is new. */
  get(tensor: TensorInfo, name: string, bytes: number, make: (address: number) => void): number {
    const ofTensor = this.blocks.get(tensor.dataId) ?? new Map<string, number>();
    const known = ofTensor.get(name);
    if (known !== undefined) return known;
    const address = this.heap.allocate(bytes);
    make(address);
    ofTensor.set(name, address);
    this.blocks.set(tensor.dataId, ofTensor);
    return address;
  }

  private free(dataId: object): void {
    for (const address of this.blocks.get(dataId)?.values() ?? []) this.heap.free(address);
    this.blocks.delete(dataId);
  }
}
