/** TokenEmbedding: the rows of an embedding matrix that belong to tokens. */
import {
  cast,
  customGrad,
  equal,
  expandDims,
  type GradSaveFunc,
  gather,
  matMul,
  range,
  reshape,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  type Tensor3D,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import { readTensor, runOp } from './kernels.js';
import { defineOp, OpError } from './op.js';

export const TokenEmbedding = defineOp({
  name: 'TokenEmbedding',
  doc:
    'y[b, l, h] = table[h, tokens[b, l]]. The table lies as the weights of a Linear, so that a language model whose ' +
    'output head is tied to it holds it once.',
  inputs: {
    tokens: { dtype: 'int32', shape: ['B', 'L'], doc: 'token ids, 0 to V-1; read on the host for a check' },
    table: { dtype: 'float32', shape: ['H', 'V'], doc: 'one column a token' },
  },
  attributes: {},
  outputs: ['y'],
  infer: ({ tokens, table }) => [{ shape: [...tokens, table[0]], dtype: 'float32' }],
  run: ({ tokens, table }) => {
    checkIds(readTensor(tokens) as Int32Array, table.shape[1] as number);
    const ids = reshape(tokens, [-1]) as Tensor1D;
    const embed = customGrad((...args: (Tensor | GradSaveFunc)[]) => {
      const [table] = args as [Tensor2D];
      const [hidden, vocabulary] = table.shape;
      const value = reshape(transpose(gather(table, ids, 1)), [...tokens.shape, hidden]);
      const gradFunc = (dy: Tensor) =>
        tidy(() => [
          matMul(reshape(dy, [-1, hidden]) as Tensor2D, cast(isToken(ids, vocabulary), 'float32'), true),
        ]);
      return { value, gradFunc };
    });
    return [embed(table)];
  },
});

/** [tokens, V]. Not by oneHot, which wants two tokens at least and gives integers for floats on tfjs's wasm backend. */
function isToken(ids: Tensor1D, vocabulary: number): Tensor {
  return equal(expandDims(ids, 1), range(0, vocabulary, 1, 'int32'));
}

function checkIds(ids: Int32Array, vocabulary: number): void {
  const at = ids.findIndex((id) => !(id >= 0 && id < vocabulary));
  if (at < 0) return;
  throw new OpError(
    'TokenEmbedding',
    `token ${at} has the id ${ids[at]}, wanted ids from 0 to ${vocabulary - 1}`,
  );
}

/**
 * Looks tokens up in an embedding matrix. Differentiable in the table.
 * @param tokens [B, L] int32.
 * @param table [H, V] float32, one column a token.
 * @returns [B, L, H] float32.
 * @throws {OpError} on wrong ranks or dtypes, or an id outside 0..V-1.
 */
export function tokenEmbedding(tokens: Tensor, table: Tensor): Tensor3D {
  return runOp(TokenEmbedding, { tokens, table })[0] as Tensor3D;
}
