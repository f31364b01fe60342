/**
 * RandomSpanningTree in plain TypeScript, O(E log V): Boruvka's algorithm with random draws, as published with
 * LearnableTreeFilterV2 (L. Song et al., "Rethinking Learnable Tree Filter for Generic Feature Transform", NeurIPS 2020).
 */
import { registerHostKernel } from '../ops/kernels.js';
import { RandomSpanningTree } from '../ops/random_spanning_tree.js';
import { UnionFind } from '../union_find.js';
import { spanningTrees } from './spanning_trees.js';

const NONE = -1;
const { fround, imul } = Math;

registerHostKernel(RandomSpanningTree, ({ inputs, outputs, attributes: { numVertices, root, seed } }) => {
  const weights = inputs.similarity as Float32Array;
  const edges = inputs.edges as Int32Array;
  spanningTrees({ weights, edges, outputs, numVertices, root }, (row, edgeIndex, item) =>
    randomTree(row, edges, numVertices, edgeIndex, chain(seedHash(seed), item, ITEM)),
  );
});

/**
 * In every round each component goes through the edges that leave it, by index, and replaces its choice a by the edge b if
 * similarity[a] / (similarity[a] + similarity[b]) is less than a draw; if both are 0, it never does. Then components are
 * visited in the order of their representative vertices, and a choice is taken if its ends are still in different
 * components.
 */
function randomTree(
  similarity: Float32Array,
  edges: Int32Array,
  numVertices: number,
  edgeIndex: Int32Array,
  itemHash: number,
): void {
  const components = new UnionFind(numVertices);
  const choice = new Int32Array(numVertices);
  let count = 0;
  for (let round = 0; components.count > 1; round++) {
    const roundHash = chain(itemHash, round, ROUND);
    choice.fill(NONE);
    for (let e = 0; e < similarity.length; e++) {
      const ends = [components.find(edges[2 * e]), components.find(edges[2 * e + 1])];
      if (ends[0] === ends[1]) continue;
      for (const [side, component] of ends.entries()) {
        const a = choice[component];
        if (a !== NONE) {
          const share = fround(similarity[a] / fround(similarity[a] + similarity[e])); // NaN where both are 0
          if (!(share < (chain(roundHash, 2 * e + side, SLOT) >>> 8) / 2 ** 24)) continue;
        }
        choice[component] = e;
      }
    }
    for (const e of choice) {
      if (e !== NONE && components.join(edges[2 * e], edges[2 * e + 1])) edgeIndex[count++] = e;
    }
  }
  edgeIndex.sort();
}

// A draw is a function of the seed, the item of the batch, the round and the slot, so that a seed gives the same tree on
// every backend: a 32-bit hash, of which the upper 24 bits are the draw.
const SEED = 0x9e3779b9;
const ITEM = 0x85ebca6b;
const ROUND = 0xc2b2ae35;
const SLOT = 0x27d4eb2f;

function seedHash(seed: number): number {
  return mix(((seed | 0) + SEED) | 0); // a sum beyond 2^53 would be rounded
}

function chain(hash: number, value: number, offset: number): number {
  return mix(hash ^ ((value + offset) | 0));
}

function mix(bits: number): number {
  let x = imul(bits ^ (bits >>> 16), 0x21f0aaad);
  x = imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
