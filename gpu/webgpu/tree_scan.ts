/** TreeScan: tree_passes.ts. After the up pass the output holds the sums of subtrees. */
import { limitToChannelScans } from '../../plugin/kernels/channel_scans.js';
import { TreeScan } from '../../plugin/ops/tree_scan.js';
import { registerWebgpuKernel } from './kernels.js';
import { programs } from './program.js';
import { BACKEND } from './start.js';
import { type TreePasses, treeBindings, treeCode, treeNumbers, treePasses } from './tree_passes.js';
import { planOf } from './tree_plan.js';

const scan = programs('tree_scan', ({ all, ...passes }: TreePasses & { all: boolean }) => ({
  ...treeBindings({ reads: { x: 'f32' }, writes: { y: 'f32' } }),
  code: treeCode(passes, {
    handed: 'f32',
    up: true,
    down: all,
    code: `
fn valuesUp(at: u32) -> vec4<f32> { return vec4(x[at], 0, 0, 0); }
fn valuesDown(at: u32) -> vec4<f32> { return vec4(y[at], 0, 0, 0); }

/** What a child adds: its decay times the sum of its subtree. */
fn childAt(position: u32) -> f32 {
  if (inRing) { return inRingAt(position); }
  let at = atOf(position);
  return decay[at] * y[at];
}

fn visitUp(item: Item) {
  var sum = item.values.x;
  for (var child = item.firstChild; child < item.endOfChildren; child++) { sum += childAt(child); }
  y[item.at] = sum;
  hand(item, item.decay * sum);
}

/** What reaches a vertex through its parent is all that the parent has, less what it has from here. */
fn visitDown(item: Item) {
  var sum = item.values.x;
  if (item.position > 0) {
    var above = 0.0;
    if (inRing) { above = inRingAt(item.parent); } else { above = y[atOf(item.parent)]; }
    sum += item.decay * (above - item.decay * sum);
  }
  y[item.at] = sum;
  hand(item, sum);
}`,
  }),
}));

registerWebgpuKernel(TreeScan, ({ inputs, outputs, shapes, attributes, dispatch, limits, runner }) => {
  const passes = treePasses(shapes.x, 1, limits);
  const numbers = treeNumbers(passes, shapes.x);
  const { x, decay } = inputs;
  if (numbers.groups === 0) return;
  dispatch(scan({ ...passes, all: attributes.aggregate === 'all' }), {
    bind: { x, decay, ...outputs, plan: planOf(runner, inputs) },
    numbers,
    workgroups: numbers.groups,
  });
});

limitToChannelScans(TreeScan, BACKEND);
