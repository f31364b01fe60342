/** TokenEmbedding and its gradient: one thread per element of the result. */
import { sizeOf } from '../../plugin/kernels/sizes.js';
import { TokenEmbedding, TokenEmbeddingGradient } from '../../plugin/ops/token_embedding.js';
import { elements, floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';

const lookUp = elements('TokenEmbedding', () => ({
  reads: { tokens: 'i32', ...floats('table') },
  writes: floats('y'),
  numbers: { hidden: 'u32', vocabulary: 'u32' },
  body: 'y[i] = table[i % numbers.hidden * numbers.vocabulary + u32(tokens[i / numbers.hidden])];',
}));

registerWebgpuKernel(TokenEmbedding, ({ inputs, outputs, shapes, ...running }) => {
  const [hidden, vocabulary] = shapes.table;
  const size = sizeOf(outputs.y.shape);
  lookUp(running, { size, bind: { ...inputs, ...outputs }, numbers: { hidden, vocabulary } });
});

const addRows = elements('TokenEmbeddingGradient', () => ({
  reads: { tokens: 'i32', ...floats('dy') },
  writes: floats('dtable'),
  numbers: { hidden: 'u32', vocabulary: 'u32', count: 'u32' },
  body: `
    let token = i32(i % numbers.vocabulary);
    let h = i / numbers.vocabulary;
    var sum = 0.0;
    for (var t = 0u; t < numbers.count; t++) {
      if (tokens[t] == token) { sum += dy[t * numbers.hidden + h]; }
    }
    dtable[i] = sum;
  `,
}));

registerWebgpuKernel(TokenEmbeddingGradient, ({ inputs, outputs, shapes, attributes, ...running }) => {
  const numbers = { hidden: shapes.dy[2], count: sizeOf(shapes.tokens), ...attributes };
  addRows(running, { size: sizeOf(outputs.dtable.shape), bind: { ...inputs, ...outputs }, numbers });
});
