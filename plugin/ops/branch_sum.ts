/** BranchSum: adds a block's output to its input, in graphs that are trained. */
import { add } from '@tensorflow/tfjs-core';
import { defineOp } from './declare.js';
import { stopGradient } from './stop_gradient.js';

const values = (doc: string) => ({ dtype: 'float32', shape: ['...'], doc }) as const;

export const BranchSum = defineOp({
  name: 'BranchSum',
  doc: 'x + branch. Unlike those of tfjs, which may broadcast, its gradients need no copies of what is added.',
  inputs: { x: values('any shape'), branch: values('of the shape of x') },
  attributes: {},
  outputs: { y: values('of the shape of x') },
  compose: ({ x, branch }) => add(x, branch),
  gradient: {
    saves: [],
    compute: (_, [dy]) => ({ x: () => stopGradient(dy), branch: () => stopGradient(dy) }),
  },
});
