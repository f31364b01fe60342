import { computing, firstItem, mapped } from './spec/faults.js';
import { defineSpec, type Values } from './spec/spec.js';
import { int32, sizeOf } from './spec/tensor.js';
import { TokenEmbedding } from './token_embedding.js';

export const tokenEmbeddingSpec = defineSpec(TokenEmbedding, {
  formula: ({ inputs: { tokens, table }, shapes }) => {
    const [hidden, vocabulary] = shapes.table;
    return { y: embedded(tokens, hidden, (id, h) => table[h * vocabulary + id]) };
  },
  tolerance: {
    float32: 0,
    shader: 0,
    gradient: 1e-6,
    reason: 'copies; the gradient sums those of equal tokens',
  },
  samples: (random) =>
    [
      { tokens: [1, 1], hidden: 1, vocabulary: 1 },
      { tokens: [2, 5], hidden: 3, vocabulary: 7 },
      { tokens: [3, 4], hidden: 9, vocabulary: 33 },
    ].map(({ tokens, hidden, vocabulary }) => {
      // Some tokens occur twice: their gradients are summed.
      const ids = Array.from({ length: sizeOf(tokens) }, () => random.integer(0, vocabulary - 1));
      ids[ids.length - 1] = vocabulary - 1;
      return {
        what: `${vocabulary} tokens, H = ${hidden}`,
        inputs: { tokens: int32(tokens, ids), table: random.tensor([hidden, vocabulary]) },
      };
    }),
  faults: {
    'the table is laid out by token': computing(({ inputs: { tokens, table }, shapes }) => {
      const [hidden] = shapes.table;
      return { y: embedded(tokens, hidden, (id, h) => table[id * hidden + h]) };
    }),
    'ids count from 1': mapped('tokens', (id) => Math.max(0, id - 1)),
    'the last token is the one before': mapped('tokens', (id, _, { shapes }) =>
      Math.min(id, Math.max(0, shapes.table[1] - 2)),
    ),
    'every item of a batch has the first one’s tokens': firstItem('tokens'),
  },
  perf: {
    sample: ({ side, channels }, random) => {
      const [length, vocabulary] = [side * side, 4096];
      const ids = Array.from({ length }, () => random.integer(0, vocabulary - 1));
      return {
        inputs: { tokens: int32([1, length], ids), table: random.tensor([channels, vocabulary]) },
      };
    },
  },
});

/** Returns [B, L, H] with the given value for every token. */
function embedded(tokens: Values, hidden: number, value: (id: number, h: number) => number): Float64Array {
  return Float64Array.from({ length: tokens.length * hidden }, (_, i) =>
    value(tokens[Math.floor(i / hidden)], i % hidden),
  );
}
