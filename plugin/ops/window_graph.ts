/** WindowGraph: the language graph of GrootL as a node of a converted model, so that one graph serves every length. */
import { scalar, sub } from '@tensorflow/tfjs-core';
import { windowGraph } from '../graphs.js';
import { defineOp, int32 } from './declare.js';
import { trustGraph } from './graph_checks.js';

export const WindowGraph = defineOp({
  name: 'WindowGraph',
  doc:
    'The graph over the tokens of a text from which their tree is built: see windowGraph. Its vertices are tokens in ' +
    'reversed time; `tokenEdges` are the same edges by token, L-1-vertex.',
  inputs: {
    tokens: int32(['B', 'L'], 'tokens of the text; only their number is used'),
    prompt: int32([], 'number of prompt tokens, 0 to L; read on the host'),
  },
  attributes: {
    reach: { type: 'integer', default: 3, least: 1, doc: 'distance up to which prompt tokens are joined' },
    promptLength: {
      type: 'integer',
      least: 0,
      most: 'L',
      doc: 'number of prompt tokens; a GraphModel node reads it from `prompt`',
    },
  },
  derived: { E: ({ L }, { reach, promptLength }) => countEdges(L, promptLength, reach) },
  outputs: {
    edges: int32(['E', '2'], 'edges as pairs of vertex ids'),
    tokenEdges: int32(['E', '2'], 'edges as pairs of token positions'),
  },
  least: { L: 1 },
  compose: ({ tokens }, { reach, promptLength }) => {
    const length = tokens.shape[1] as number;
    const edges = windowGraph(length, { reach, promptLength });
    const tokenEdges = sub(scalar(length - 1, 'int32'), edges);
    trustGraph(tokenEdges, length);
    return [edges, tokenEdges];
  },
  graphDefaults: ({ prompt }, read) => ({ promptLength: read(prompt)[0] }),
});

function countEdges(length: number, promptLength: number, reach: number): number {
  let count = 0;
  for (let v = 0; v + 1 < length; v++)
    count += v < length - promptLength ? 1 : Math.min(reach, length - 1 - v);
  return count;
}
