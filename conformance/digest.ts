/** A digest of the bits of results, so that results of pages can be compared without transferring them. */
import type { CaseTensor } from './case.js';

const words = new Int32Array(2);
const doubles = new Float64Array(words.buffer);

/** Digest of values in order: two FNV-1a sums over 32-bit words. All NaN are equal; -0 and 0 differ. */
export function digestOf(tensors: Iterable<CaseTensor>): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  const add = (word: number) => {
    a = Math.imul(a ^ word, 0x01000193);
    b = Math.imul(b ^ (word >>> 16) ^ (word << 16), 0x85ebca6b);
    b ^= b >>> 13;
  };
  for (const { values } of tensors) {
    add(values.length);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      doubles[0] = Number.isNaN(value) ? Number.NaN : value;
      add(words[0]);
      add(words[1]);
    }
  }
  return [a, b].map((sum) => (sum >>> 0).toString(16).padStart(8, '0')).join('');
}
