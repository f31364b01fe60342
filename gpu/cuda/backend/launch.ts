/** Launches kernels, with arguments packed like C++ parameters. */
import type { Block } from './allocator.js';
import type { Device } from './driver.js';
import { THREADS } from './kernels/constants.js';

/** A float32 argument; a plain number is an int32. */
export class Float32 {
  constructor(readonly value: number) {}
}

/** An argument of a kernel: a pointer, an int32, a float32, or a struct of int32 values. `null` is a null pointer. */
export type Argument = Block | number | Float32 | readonly number[] | null;

/** Number of blocks and threads in x, y, z; 1 by default. */
export interface Grid {
  readonly blocks: number | readonly [number, number] | readonly [number, number, number];
  readonly threads: number | readonly [number, number];
  /** Dynamic shared memory of a block, in bytes. */
  readonly sharedBytes?: number;
}

/** Enough blocks to fill the largest devices many times; kernels loop over the rest. */
const MOST_BLOCKS = 65_535;

/** Returns a grid with a thread for each of `size` elements; kernels loop over the rest if there are too many. */
export function gridOf(size: number, threads = THREADS): Grid {
  return { blocks: Math.min(MOST_BLOCKS, Math.ceil(size / threads)), threads };
}

const WORD = 2 ** 32;

export class Launcher {
  private readonly numbers = new Map<string, number>();
  private readonly ints: Int32Array;
  private readonly floats: Float32Array;
  /** Kernels launched so far. */
  count = 0;

  constructor(private readonly device: Device) {
    this.ints = new Int32Array(device.argumentBytes);
    this.floats = new Float32Array(device.argumentBytes);
  }

  /** Launches a kernel. Without blocks, nothing is done. */
  launch(kernel: string, { blocks, threads, sharedBytes = 0 }: Grid, ...given: readonly Argument[]): void {
    const [x, y, z = 1] = typeof blocks === 'number' ? [blocks, 1] : blocks;
    if (x * y * z === 0) return;
    const [threadsX, threadsY] = typeof threads === 'number' ? [threads, 1] : threads;
    let number = this.numbers.get(kernel);
    if (number === undefined) {
      number = this.device.findKernel(kernel);
      this.numbers.set(kernel, number);
    }
    this.count++;
    this.device.launch(number, x, y, z, threadsX, threadsY, sharedBytes, this.pack(given));
  }

  /** @returns the bytes of the arguments */
  private pack(given: readonly Argument[]): number {
    let at = 0; // in words of 4 bytes
    for (const argument of given) {
      if (typeof argument === 'number') {
        this.ints[at++] = argument;
      } else if (argument instanceof Float32) {
        this.floats[at++] = argument.value;
      } else if (isWords(argument)) {
        for (const word of argument) this.ints[at++] = word;
      } else {
        at += at % 2; // pointers are aligned to 8 bytes
        const address = argument?.address ?? 0;
        this.ints[at++] = address; // stored modulo 2^32
        this.ints[at++] = Math.floor(address / WORD);
      }
    }
    return 4 * at;
  }
}

function isWords(argument: Block | readonly number[] | null): argument is readonly number[] {
  return Array.isArray(argument);
}
