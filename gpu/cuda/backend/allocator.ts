/**
 * A caching allocator: memory that tensors give back is kept and given to the next tensor of its size. All work on a
 * device is done in one order, so a block may be written anew as soon as it was given back, without waiting; and
 * asking the driver, which does wait, becomes rare.
 */
import type { Device } from './driver.js';
import { CudaOutOfMemoryError } from './errors.js';

/** A piece of device memory. */
export interface Block {
  readonly address: number;
  /** Bytes reserved: at least as many as were asked for. */
  readonly bytes: number;
}

/** What {@link Allocator.statistics} reports, in bytes. */
export interface AllocatorStatistics {
  /** Held by tensors. */
  readonly used: number;
  /** Asked of the driver: used, and kept for later. */
  readonly reserved: number;
}

const SMALLEST_BLOCK = 512;
/** Above, sizes are rounded up to eighths of a power of two: at most 1/8 is wasted, and similar sizes share. */
const LARGE = 1 << 20;

export class Allocator {
  private readonly free = new Map<number, number[]>();
  private used = 0;
  private reserved = 0;

  /**
   * @param limit bytes that may be reserved; what the device has by default
   * @param sizeOf the size of the block that serves a request
   */
  constructor(
    private readonly device: Pick<Device, 'allocate' | 'free'>,
    private readonly limit = Number.POSITIVE_INFINITY,
    private readonly sizeOf = blockSize,
  ) {}

  /** @throws {CudaOutOfMemoryError} when there is too little memory, even with all that was kept given back */
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

  /** Gives what is kept for later back to the driver. */
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

/** The size of a block that many tensors can use one after another. */
export function blockSize(bytes: number): number {
  if (bytes <= LARGE) return Math.max(1, Math.ceil(bytes / SMALLEST_BLOCK)) * SMALLEST_BLOCK;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 3);
  return Math.ceil(bytes / step) * step;
}
