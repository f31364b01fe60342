/**
 * Memory of recordings. A recording is replayed with its original addresses, so it keeps the blocks of its tensors and of its
 * scratch memory; while it is made, blocks that are freed are used again, as malloc would have done. Recordings share blocks,
 * because one is made or replayed at a time, and no values in these blocks are needed after that.
 */
import type { Allocator } from './heap.js';

/** Limit for all recordings of a backend. Larger computations take so long that what recording saves does not matter. */
const MOST_BYTES = 256 << 20;
/** A block holds at least this part of its size, so that small tensors do not occupy the blocks of large ones. */
const LEAST_USE = 0.5;
/** Smaller blocks get this size. */
const LEAST_BYTES = 64;

interface Block {
  readonly bytes: number;
  readonly users: Set<RecordingMemory>;
}

/** The blocks of all recordings of a backend, by address. */
export class BlockPool {
  readonly blocks = new Map<number, Block>();
  private bytes = 0;

  constructor(readonly heap: Allocator) {}

  /** Returns undefined if the recordings have as much as they may. */
  allocate(bytes: number): number | undefined {
    if (this.bytes + bytes > MOST_BYTES) return undefined;
    const address = this.heap.allocate(bytes);
    this.blocks.set(address, { bytes, users: new Set() });
    this.bytes += bytes;
    return address;
  }

  /** Frees a block unless another recording uses it. */
  release(address: number, user: RecordingMemory): void {
    const block = this.blocks.get(address);
    block?.users.delete(user);
    if (!block || block.users.size > 0) return;
    this.remove(address, block);
    this.heap.free(address);
  }

  /** Leaves a block to a tensor that outlives a recording. */
  leave(address: number): void {
    const block = this.blocks.get(address);
    if (!block) return;
    this.remove(address, block);
    for (const user of block.users) user.drop();
  }

  private remove(address: number, { bytes }: Block): void {
    this.blocks.delete(address);
    this.bytes -= bytes;
  }
}

/** The memory of one recording. */
export class RecordingMemory {
  /** Whether it may be replayed. */
  isValid = true;
  private readonly owned = new Set<number>();
  /** Blocks of tensors and scratch memory that exist at the moment, while the recording is made. */
  private readonly held = new Set<number>();
  /** Blocks with values that are not computed, which are never used for others. */
  private readonly constants = new Set<number>();

  constructor(private readonly pool: BlockPool) {}

  /** Returns undefined if there is no more. */
  allocate(bytes: number): number | undefined {
    const needed = Math.max(bytes, LEAST_BYTES);
    const address = this.unused(needed) ?? this.pool.allocate(needed);
    if (address === undefined) return undefined;
    this.pool.blocks.get(address)?.users.add(this);
    this.owned.add(address);
    this.held.add(address);
    return address;
  }

  /** Allocates memory for values that replays only read. */
  constant(bytes: number): number {
    const address = this.pool.heap.allocate(bytes);
    this.constants.add(address);
    return address;
  }

  /** Likewise, for a tensor, which will be freed. */
  constantTensor(bytes: number): number {
    const address = this.constant(bytes);
    this.held.add(address);
    return address;
  }

  /** Makes a block available for other tensors; frees one that does not belong to the recording. */
  free(address: number): void {
    if (!this.held.delete(address)) this.pool.heap.free(address);
  }

  /** Whether it is the address of a block that replays may write to. */
  owns(address: number): boolean {
    return this.owned.has(address);
  }

  /** Ends the recording. If tensors outlive it, their blocks are left to them, and it cannot be replayed. */
  finish(): void {
    const kept = [...this.held];
    this.held.clear();
    for (const address of kept) {
      this.constants.delete(address);
      this.owned.delete(address);
    }
    for (const address of kept) this.pool.leave(address);
    if (kept.length > 0) this.drop();
  }

  /** Frees all blocks. */
  drop(): void {
    if (!this.isValid) return;
    this.isValid = false;
    for (const address of this.owned) this.pool.release(address, this);
    for (const address of this.constants) this.pool.heap.free(address);
    this.owned.clear();
    this.constants.clear();
  }

  /** Returns the smallest block that is large enough and does not hold anything. */
  private unused(bytes: number): number | undefined {
    let found: number | undefined;
    let limit = bytes / LEAST_USE;
    for (const [address, block] of this.pool.blocks) {
      if (this.held.has(address) || block.bytes < bytes || block.bytes > limit) continue;
      found = address;
      limit = block.bytes - 1;
    }
    return found;
  }
}
