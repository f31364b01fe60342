/**
 * A caching allocator: memory that tensors release is kept and reused for the next tensor of its size. All work on a device
 * is executed in order, so a block may be overwritten as soon as it was released, without waiting, and requests to the
 * driver, which do wait, become rare.
 */
import type { Device } from './driver.js';
import { CudaOutOfMemoryError } from './errors.js';

/** A piece of device memory. */
export interface Block {
  readonly address: number;
  /** Bytes reserved: at least as many as requested. */
  readonly bytes: number;
}

/** The result of {@link Allocator.statistics}, in bytes. */
export interface AllocatorStatistics {
  /** Held by tensors. */
  readonly used: number;
  /** Allocated from the driver: used, and cached for reuse. */
  readonly reserved: number;
}

const SMALLEST_BLOCK = 512;
/** Above this, sizes are rounded up to eighths of a power of two: at most 1/8 is wasted, and similar sizes share blocks. */
const LARGE = 1 << 20;

export class Allocator {
  private readonly free = new Map<number, number[]>();
  private used = 0;
  private reserved = 0;

  /**
   * @param limit bytes that may be reserved; by default what the device has
   * @param sizeOf returns the size of the block that serves a request
   */
  constructor(
    private readonly device: Pick<Device, 'allocate' | 'free'>,
    private readonly limit = Number.POSITIVE_INFINITY,
    private readonly sizeOf = blockSize,
  ) {}

  /** @throws {CudaOutOfMemoryError} if there is too little memory, even after the cached blocks were freed. */
  allocate(bytes: number): Block {
    const size = this.sizeOf(bytes);
    const address = this.free.get(size)?.pop() ?? this.reserve(size, bytes);
    this.used += size;
    return { address, bytes: size };
  }

  release(block: Block): void {
    this.used -= block.bytes;
    const list = this.free.get(block.bytes);
    if (list) list.push(block.address);
    else this.free.set(block.bytes, [block.address]);
  }

  /** Returns the cached memory to the driver. */
  trim(): void {
    for (const [size, addresses] of this.free) {
      for (const address of addresses) {
        this.device.free(address);
        this.reserved -= size;
      }
    }
    this.free.clear();
  }

  statistics(): AllocatorStatistics {
    return { used: this.used, reserved: this.reserved };
  }

  private reserve(size: number, asked: number): number {
    if (this.reserved + size > this.limit) this.trim();
    if (this.reserved + size > this.limit) {
      throw new CudaOutOfMemoryError(asked, this.used, `the limit is ${this.limit} bytes`);
    }
    let address = this.device.allocate(size);
    if (address === 0) {
      this.trim();
      address = this.device.allocate(size);
    }
    if (address === 0) throw new CudaOutOfMemoryError(asked, this.used, 'the device has no more');
    this.reserved += size;
    return address;
  }
}

/** Returns the size of a block that many tensors can use one after another. */
export function blockSize(bytes: number): number {
  if (bytes <= LARGE) return Math.max(1, Math.ceil(bytes / SMALLEST_BLOCK)) * SMALLEST_BLOCK;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}
