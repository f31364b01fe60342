import { BranchSum } from './branch_sum.js';
import { computing } from './spec/faults.js';
import { defineSpec } from './spec/spec.js';

export const branchSumSpec = defineSpec(BranchSum, {
  formula: ({ inputs: { x, branch } }) => ({ y: Float64Array.from(x, (value, i) => value + branch[i]) }),
  tolerance: { float32: 2e-7, shader: 2e-6, reason: 'one sum' },
  samples: (random) =>
    [[7], [2, 3, 5], [1, 2, 2, 9]].map((shape) => ({
      what: `shape ${shape}`,
      inputs: { x: random.tensor(shape), branch: random.tensor(shape) },
    })),
  faults: {
    'the branch is missing': computing(({ inputs: { x } }) => ({ y: x })),
    'the branch counts twice': computing(({ inputs: { x, branch } }) => ({
      y: x.map((value, i) => value + 2 * branch[i]),
    })),
  },
});
