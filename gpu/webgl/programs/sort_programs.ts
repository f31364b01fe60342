import type { PointProgram } from '../point_drawer.js';

/**
 * A stable sort by (x, y) of each batch of `length` texels, in two draws: blocks of a power of two are sorted by counting,
 * then every element finds its position in every other block by binary search. With blocks of about the square root, an
 * element reads some sqrt(length) * log2(length) texels.
 */
const IS_BEFORE = `
  // By (x, y), then by z, the place in the batch.
  bool isBefore(vec3 a, vec3 b) {
    if (a.x != b.x) return a.x < b.x;
    if (a.y != b.y) return a.y < b.y;
    return a.z < b.z;
  }
`;

/** Sorts each block: texels (x, y, position of the key in its batch). */
export const SORT_BLOCKS: PointProgram = {
  variableNames: ['keys'],
  uniforms: ['length', 'blockSize'],
  code: `
    ${IS_BEFORE}
    int invocation(int point) {
      int place = point % length;
      int batchStart = point - place;
      int blockStart = place - place % blockSize;
      int blockEnd = min(blockStart + blockSize, length);
      vec3 own = vec3(texelOf(keys, point).xy, place);
      int rank = 0;
      for (int i = blockStart; i < blockEnd; i++) {
        if (isBefore(vec3(texelOf(keys, batchStart + i).xy, i), own)) rank++;
      }
      value0 = vec4(own, 0);
      return batchStart + blockStart + rank;
    }
  `,
};

const RANK = `
  ${IS_BEFORE}
  int rankOf(vec3 own, int batchStart) {
    int rank = 0;
    for (int blockStart = 0; blockStart < length; blockStart += blockSize) {
      int low = blockStart;
      int high = min(blockStart + blockSize, length);
      while (low < high) {
        int middle = (low + high) / 2;
        if (isBefore(texelOf(blocks, batchStart + middle).xyz, own)) low = middle + 1;
        else high = middle;
      }
      rank += low - blockStart;
    }
    return rank;
  }
`;

/** From sorted blocks: the rank of every key in its batch, at the position of the key. */
export const RANKS: PointProgram = {
  variableNames: ['blocks'],
  uniforms: ['length', 'blockSize'],
  code: `
    ${RANK}
    int invocation(int point) {
      int batchStart = point - point % length;
      vec3 own = texelOf(blocks, point).xyz;
      value0.x = float(rankOf(own, batchStart));
      return batchStart + int(own.z);
    }
  `,
};

/** From sorted blocks: x of every key except the smallest of its batch, ascending, one number per texel. */
export const SORTED_BUT_FIRST: PointProgram = {
  variableNames: ['blocks'],
  uniforms: ['length', 'blockSize'],
  code: `
    ${RANK}
    int invocation(int point) {
      int batch = point / length;
      vec3 own = texelOf(blocks, point).xyz;
      int rank = rankOf(own, batch * length);
      value0.x = own.x;
      return rank == 0 ? NOWHERE : batch * (length - 1) + rank - 1;
    }
  `,
};
