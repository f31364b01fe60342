/** WindowGraph: the language graph of GrootL as a node of a converted model, so that one graph serves every length. */
import { scalar, sub } from '@tensorflow/tfjs-core';
import { windowGraph } from '../graphs.js';
import { trustGraph } from './graph_checks.js';
import { defineOp, OpError } from './op.js';

export const WindowGraph = defineOp({
  name: 'WindowGraph',
  doc:
    'The graph over the tokens of a text from which their tree is chosen: see windowGraph. Its vertices are tokens ' +
    'in reversed time; `tokenEdges` are the same edges by token, L-1-vertex.',
  inputs: {
    tokens: { dtype: 'int32', shape: ['B', 'L'], doc: 'only its length is used' },
    prompt: { dtype: 'int32', shape: [], doc: 'tokens of the prompt, 0 to L; read on the host' },
  },
  attributes: {
    reach: { graphName: 'reach', default: 3, doc: 'how far a token of the prompt is joined' },
    promptLength: { graphName: 'prompt_length', doc: 'the value of `prompt`, which a GraphModel node reads' },
  },
  outputs: ['edges', 'tokenEdges'],
  infer: ({ tokens: [, length] }, { reach, promptLength }) => {
    const given = promptLength as number;
    if (length < 1) throw new OpError('WindowGraph', 'tokens are none, wanted at least one');
    if (!Number.isInteger(given) || given < 0 || given > length) {
      throw new OpError(
        'WindowGraph',
        `the prompt length is ${given}, wanted an integer from 0 to ${length}`,
      );
    }
    const shape = [countEdges(length, given, reach as number), 2];
    return [
      { shape, dtype: 'int32' },
      { shape: [...shape], dtype: 'int32' },
    ];
  },
  compose: ({ tokens }, { reach, promptLength }) => {
    const length = tokens.shape[1] as number;
    const edges = windowGraph(length, { reach: reach as number, promptLength: promptLength as number });
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
