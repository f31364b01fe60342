/** BranchSum: adds a block's output to its input, in graphs that are trained. */
import { add } from '@tensorflow/tfjs-core';
import { defineOp, float32 } from './declare.js';
import { stopGradient } from './stop_gradient.js';

const values = (doc: string) => float32(['...'], doc);

export const BranchSum = defineOp({
  name: 'BranchSum',
  doc: 'x + branch without broadcasting, so that its gradients, unlike those of tfjs add, need no copies.',
  inputs: { x: values('tensor of any shape'), branch: values('values added to x, same shape as x') },
  attributes: {},
  outputs: { y: values('sum, same shape as x') },
  compose: ({ x, branch }) => add(x, branch),
  gradient: {
    saves: [],
    compute: (_, [dy]) => ({ x: () => stopGradient(dy), branch: () => stopGradient(dy) }),
  },
});
