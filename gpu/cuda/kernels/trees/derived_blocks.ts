/**
 * Memory that is made from a tensor once and kept for as long as the backend keeps the tensor's values: the schedule of
 * a tree, shared by every scan and gradient along it. Tensors are immutable, so it never goes stale.
 */
import type { Block } from '../../allocator.js';
import type { CudaBackend } from '../../backend.js';

const ofBackends = new WeakMap<CudaBackend, DerivedBlocks>();

export class DerivedBlocks {
  /** By the data of the tensor, then by that of the other tensor that they are made from. */
  private readonly blocks = new Map<object, Map<object, readonly Block[]>>();

  private constructor(private readonly backend: CudaBackend) {
    backend.onDispose((dataId) => this.release(dataId));
  }

  static of(backend: CudaBackend): DerivedBlocks {
    const known = ofBackends.get(backend) ?? new DerivedBlocks(backend);
    ofBackends.set(backend, known);
    return known;
  }

  /**
   * The blocks of two tensors, which go with the first. When they are new, memory of the given sizes is allocated, and
   * `make` writes it.
   */
  get(
    dataId: object,
    other: object,
    sizes: readonly number[],
    make: (...blocks: readonly Block[]) => void,
  ): readonly Block[] {
    const ofTensor = this.blocks.get(dataId) ?? new Map<object, readonly Block[]>();
    const known = ofTensor.get(other);
    if (known) return known;
    const made: Block[] = [];
    try {
      for (const bytes of sizes) made.push(this.backend.scratch(bytes));
      make(...made);
    } catch (error) {
      for (const block of made) this.backend.release(block);
      throw error;
    }
    ofTensor.set(other, made);
    this.blocks.set(dataId, ofTensor);
    return made;
  }

  private release(dataId: object): void {
    for (const blocks of this.blocks.get(dataId)?.values() ?? []) {
      for (const block of blocks) this.backend.release(block);
    }
    this.blocks.delete(dataId);
  }
}
