/** Random numbers that a seed replays, the same in Node and in every browser. */
import { type CaseTensor, float32, int32, sizeOf } from './tensor.js';

export class Random {
  private state: number;

  /** @param stream a name: streams of one seed are independent, so that one more changes no other. */
  constructor(seed: number, stream = '') {
    let hash = 1;
    for (const letter of stream) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) as number)) | 0;
    this.state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(hash, 0x85ebca6b)) >>> 0;
  }

  /** 0 <= x < 1, by mulberry32 (T. Ettinger, 2017): 32 bits of state are plenty for test data. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** low <= n <= high */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** Standard normal, by G. Box and M. Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.integer(0, choices.length - 1)];
  }

  /** A float32 tensor of numbers that are drawn, standard normal ones by default. */
  tensor(shape: readonly number[], draw: () => number = () => this.normal()): CaseTensor {
    return float32(shape, this.floats(sizeOf(shape), draw));
  }

  /** An int32 tensor, by the position of each value. */
  ints(shape: readonly number[], draw: (index: number) => number): CaseTensor {
    return int32(
      shape,
      Array.from({ length: sizeOf(shape) }, (_, i) => draw(i)),
    );
  }

  floats(count: number, draw: () => number): Float32Array {
    return Float32Array.from({ length: count }, draw);
  }
}
