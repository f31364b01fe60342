/** TokenEmbedding and its gradient on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { TokenEmbedding, TokenEmbeddingGradient } from '../plugin/ops/token_embedding.js';
import { registerWasmKernel } from './kernels.js';

registerWasmKernel(TokenEmbedding, ({ inputs: { tokens, table }, outputs: { y }, shapes, functions }) => {
  const [hidden, vocabulary] = shapes.table;
  functions.token_embedding(tokens, table, y, sizeOf(shapes.tokens), hidden, vocabulary);
});

registerWasmKernel(
  TokenEmbeddingGradient,
  ({ inputs: { tokens, dy }, outputs: { dtable }, shapes, attributes: { vocabulary }, functions }) => {
    functions.token_embedding_gradient(tokens, dy, dtable, sizeOf(shapes.tokens), shapes.dy[2], vocabulary);
  },
);
