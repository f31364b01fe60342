/** TokenEmbedding and its gradient on WebAssembly. */
import { sizeOf } from '../plugin/kernels/sizes.js';
import { TokenEmbedding, TokenEmbeddingGradient } from '../plugin/ops/token_embedding.js';
import { registerWasmKernel } from './kernels.js';

/** Of token_embedding.cc. */
interface Functions {
  token_embedding(
    tokens: number,
    table: number,
    y: number,
    count: number,
    hidden: number,
    vocabulary: number,
  ): void;
  token_embedding_gradient(
    tokens: number,
    dy: number,
    dtable: number,
    count: number,
    hidden: number,
    vocabulary: number,
  ): void;
}

registerWasmKernel<typeof TokenEmbedding, Functions>(
  TokenEmbedding,
  ({ inputs: { tokens, table }, outputs: { y }, shapes, functions }) => {
    const [hidden, vocabulary] = shapes.table;
    functions.token_embedding(tokens, table, y, sizeOf(shapes.tokens), hidden, vocabulary);
  },
);

registerWasmKernel<typeof TokenEmbeddingGradient, Functions>(
  TokenEmbeddingGradient,
  ({ inputs: { tokens, dy }, outputs: { dtable }, shapes, attributes: { vocabulary }, functions }) => {
    functions.token_embedding_gradient(tokens, dy, dtable, sizeOf(shapes.tokens), shapes.dy[2], vocabulary);
  },
);
