/**
 * Memory that is made from a tensor once and kept for as long as the backend keeps the tensor's values: the schedule of
 * a tree, shared by every scan and gradient along it. Tensors are immutable, so it never goes stale.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Block } from './backend/allocator.js';
import type { CudaBackend } from './backend/backend.js';

const ofBackends = new WeakMap<CudaBackend, DerivedBlocks>();

/** Blocks, and what they were made from besides the tensor that they belong to. */
interface Derived {
  readonly other: object;
  readonly shape: string;
  readonly blocks: readonly Block[];
}

export class DerivedBlocks {
  /** By the data of the tensor. */
  private readonly derived = new Map<object, Derived[]>();

  private constructor(private readonly backend: CudaBackend) {
    backend.onDispose((dataId) => this.release(dataId));
  }

  static of(backend: CudaBackend): DerivedBlocks {
    const known = ofBackends.get(backend) ?? new DerivedBlocks(backend);
    ofBackends.set(backend, known);
    return known;
  }

  /**
   * The blocks of two tensors of one shape, which go with the first. When they are new, memory of the given sizes is
   * allocated, and `make` writes it. Tensors of other shapes may share the data, so the shape is remembered too.
   */
  get(
    tensor: TensorInfo,
    other: TensorInfo,
    sizes: readonly number[],
    make: (...blocks: readonly Block[]) => void,
  ): readonly Block[] {
    const ofTensor = this.derived.get(tensor.dataId) ?? [];
    const shape = `${tensor.shape}`;
    const known = ofTensor.find((derived) => derived.other === other.dataId && derived.shape === shape);
    if (known) return known.blocks;
    const made: Block[] = [];
    try {
      for (const bytes of sizes) made.push(this.backend.scratch(bytes));
      make(...made);
    } catch (error) {
      for (const block of made) this.backend.release(block);
      throw error;
    }
    ofTensor.push({ other: other.dataId, shape, blocks: made });
    this.derived.set(tensor.dataId, ofTensor);
    return made;
  }

  private release(dataId: object): void {
    for (const { blocks } of this.derived.get(dataId) ?? []) {
      for (const block of blocks) this.backend.release(block);
    }
    this.derived.delete(dataId);
  }
}
