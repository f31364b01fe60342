/**
 * Integers of 8 bits as tensors. tfjs has no byte tensors, so each int32 packs four consecutive integers of a column, the first in
 * the lowest byte. Imports no tfjs, which the converters need not load.
 */

/** Codes per int32. */
const CODES = 4;

/** Number of int32 for a column of `terms` weights. */
export const wordsOf = (terms: number) => Math.ceil(terms / CODES);

/**
 * Unpacks the codes, row-major.
 * @param size number of codes in all columns together.
 */
export function codesOf(words: Int32Array, columns: number, size: number): Int8Array {
  const codes = new Int8Array(size);
  for (let i = 0; i < size; i++) {
    const row = Math.floor(i / columns);
    codes[i] = words[Math.floor(row / CODES) * columns + (i % columns)] >> (8 * (row % CODES));
  }
  return codes;
}

/**
 * Packs codes, the inverse of `codesOf`.
 * @param codes [terms, columns]
 */
export function packedCodes(codes: ArrayLike<number>, columns: number): Int32Array {
  const terms = columns === 0 ? 0 : codes.length / columns;
  const words = new Int32Array(wordsOf(terms) * columns);
  for (let i = 0; i < codes.length; i++) {
    const row = Math.floor(i / columns);
    words[Math.floor(row / CODES) * columns + (i % columns)] |= (codes[i] & 0xff) << (8 * (row % CODES));
  }
  return words;
}
