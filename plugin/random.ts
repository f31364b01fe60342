/** Seeded random numbers, the same in Node and in every browser. */

/** A sequence of random numbers whose state can be saved and restored. */
export class RandomNumbers {
  private state: number;

  /** @param seed any integer; only the lower 32 bits are used. */
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Streams of one seed are independent, so that adding a stream does not change the others. */
  static stream(seed: number, name: string): RandomNumbers {
    return new RandomNumbers(streamSeed(seed, name));
  }

  /** The state that determines the next number: a 32-bit integer. */
  save(): number {
    return this.state;
  }

  /** Continues from a saved state. */
  restore(state: number): void {
    this.state = state >>> 0;
  }

  /** 0 <= x < 1, by mulberry32 (T. Ettinger, 2017). */
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

  /** Returns the integers below `count` in random order (R. Fisher and F. Yates, 1938). */
  permutation(count: number): Int32Array {
    const indices = Int32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const other = this.integer(0, i);
      [indices[i], indices[other]] = [indices[other], indices[i]];
    }
    return indices;
  }

  /** Standard normal, by G. Box and M. Muller. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }
}

/** The seed of a named stream of random numbers. */
export function streamSeed(seed: number, name: string): number {
  let hash = 1;
  for (const letter of name) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) as number)) | 0;
  return Math.imul(seed, 0x9e3779b1) ^ Math.imul(hash, 0x85ebca6b);
}
