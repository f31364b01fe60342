/** TokenEmbedding: looks up tokens in an embedding matrix. */
import {
  gather,
  matMul,
  reshape,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  transpose,
} from '@tensorflow/tfjs-core';
import { oneHotRows } from '../one_hot.js';
import { defineOp, float32, int32 } from './declare.js';
import { OpError } from './input_checks.js';
import { readIds, runOp } from './kernels.js';

export const TokenEmbedding = defineOp({
  name: 'TokenEmbedding',
  doc:
    'y[b, l, h] = table[h, tokens[b, l]]. The table has the layout of the weights of a linear layer, so that a language ' +
    'model with a tied output head stores it once.',
  inputs: {
    tokens: int32(['B', 'L'], 'token ids, 0 to V-1; read on the host to check the range'),
    table: float32(['H', 'V'], 'embedding table, one column per token id'),
  },
  attributes: {},
  outputs: { y: float32(['B', 'L', 'H'], 'embedding of each token') },
  compose: ({ tokens, table }) => {
    const [hidden, vocabulary] = table.shape as [number, number];
    checkIds(readIds('TokenEmbedding', tokens), vocabulary);
    const ids = reshape(tokens, [-1]) as Tensor1D;
    return reshape(transpose(gather(table, ids, 1)), [...tokens.shape, hidden]);
  },
  validate: ({ tokens, table }, _attributes, read) => checkIds(read(tokens), table.shape[1]),
  gradient: {
    saves: ['tokens', 'table'],
    compute: ({ tokens, table }, [dy]) => ({
      table: () => runOp(TokenEmbeddingGradient, { tokens, dy }, { vocabulary: table.shape[1] })[0],
    }),
  },
});

export const TokenEmbeddingGradient = defineOp({
  name: 'TokenEmbeddingGradient',
  inner: true,
  doc: 'The gradient of TokenEmbedding with respect to the table: each row of dy is added to the column of its token.',
  inputs: {
    tokens: int32(['B', 'L'], 'token ids of TokenEmbedding'),
    dy: float32(['B', 'L', 'H'], 'gradient with respect to y'),
  },
  attributes: {
    vocabulary: { type: 'integer', letter: 'V', least: 0, doc: 'number of columns of the table' },
  },
  outputs: { dtable: float32(['H', 'V'], 'gradient with respect to the table') },
  validate: ({ tokens }, { vocabulary }, read) => checkIds(read(tokens), vocabulary),
  compose: ({ tokens, dy }, { vocabulary }) => {
    const rows = oneHotRows(reshape(tokens, [-1]), vocabulary) as Tensor2D;
    return matMul(reshape(dy, [-1, dy.shape[2] as number]) as Tensor2D, rows, true);
  },
});

function checkIds(ids: Int32Array, vocabulary: number): void {
  const at = ids.findIndex((id) => !(id >= 0 && id < vocabulary));
  if (at < 0) return;
  throw new OpError(
    'TokenEmbedding',
    `token ${at} has the id ${ids[at]}, expected ids from 0 to ${vocabulary - 1}`,
  );
}

/**
 * Looks up tokens in an embedding matrix. Differentiable in the table.
 * @param tokens [B, L] int32.
 * @param table [H, V] float32, one column per token.
 * @returns [B, L, H] float32.
 * @throws {OpError} if a rank or dtype is wrong, or an id is outside 0..V-1.
 */
export function tokenEmbedding(tokens: Tensor, table: Tensor): Tensor3D {
  return runOp(TokenEmbedding, { tokens, table })[0] as Tensor3D;
}
