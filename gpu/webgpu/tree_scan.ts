/** TreeScan: tree_passes.ts. After the up pass the output holds the subtree sums. */
import { type Aggregate, TreeScan } from '../../plugin/ops/tree_scan.js';
import { registerWebgpuKernel } from './kernels.js';
import { programs } from './program.js';
import {
  type TreePass,
  type TreePasses,
  treeBindings,
  treeCode,
  treeNumbers,
  treePasses,
} from './tree_passes.js';
import { planOf } from './tree_plan.js';

/** A child passes on its decay times its subtree sum. */
const sumSubtrees: TreePass = {
  values: 'vec4(x[at], 0, 0, 0)',
  stored: 'decayOf(vertex) * y[at]',
  visit: `
    let sum = withChildren(item, item.values.x);
    y[item.at] = sum;
    hand(item, item.decay * sum);
  `,
};

/** A vertex receives through its parent the total of the parent minus the part that came from the vertex itself. */
const sumBeyond: TreePass = {
  values: 'vec4(y[at], 0, 0, 0)',
  stored: 'y[at]',
  visit: `
    var sum = item.values.x;
    if (item.position > 0) { sum += item.decay * (parentAt(item.parent) - item.decay * sum); }
    y[item.at] = sum;
    hand(item, sum);
  `,
};

const spread: TreePass = {
  values: 'vec4(x[at], 0, 0, 0)',
  stored: 'y[at]',
  visit: `
    var sum = item.values.x;
    if (item.position > 0) { sum += item.decay * parentAt(item.parent); }
    y[item.at] = sum;
    hand(item, sum);
  `,
};

const PASSES = {
  root: { up: sumSubtrees },
  all: { up: sumSubtrees, down: sumBeyond },
  leaves: { down: spread },
};

const scan = programs('tree_scan', ({ aggregate, ...passes }: TreePasses & { aggregate: Aggregate }) => ({
  ...treeBindings({ reads: { x: 'f32' }, writes: { y: 'f32' } }),
  code: treeCode(passes, { handed: 'f32', ...PASSES[aggregate] }),
}));

registerWebgpuKernel(TreeScan, ({ inputs, outputs, shapes, attributes, dispatch, limits, runner }) => {
  const passes = treePasses(shapes.x, 1, limits);
  const numbers = treeNumbers(passes, shapes.x, shapes.decay[2]);
  if (numbers.workgroups === 0) return;
  const { x, decay } = inputs;
  dispatch(scan({ ...passes, aggregate: attributes.aggregate }), {
    bind: { x, decay, ...outputs, plan: planOf(runner, inputs) },
    numbers,
    workgroups: numbers.workgroups,
  });
});
