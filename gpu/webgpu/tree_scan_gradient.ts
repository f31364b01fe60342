/**
 * TreeScanGradient: tree_passes.ts; the formulas are in plugin/cpu/tree_scan_gradient.ts. In the mode `all` the sums of
 * subtrees of x and dy go up together; between the passes the outputs hold them.
 */
import { limitToChannelScans } from '../../plugin/kernels/channel_scans.js';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { registerWebgpuKernel } from './kernels.js';
import { programs } from './program.js';
import { BACKEND } from './start.js';
import { type TreePasses, treeBindings, treeCode, treeNumbers, treePasses } from './tree_passes.js';
import { planOf } from './tree_plan.js';

const writes = { dx: 'f32', ddecay: 'f32' };

const gradientAll = programs('tree_scan_gradient_all', (passes: TreePasses) => ({
  ...treeBindings({ reads: { x: 'f32', y: 'f32', dy: 'f32' }, writes }),
  code: treeCode(passes, {
    handed: 'vec2<f32>',
    up: true,
    down: true,
    code: `
fn valuesUp(at: u32) -> vec4<f32> { return vec4(x[at], dy[at], 0, 0); }
/** Sums of the subtree, and y. */
fn valuesDown(at: u32) -> vec4<f32> { return vec4(ddecay[at], dx[at], y[at], 0); }

fn childAt(position: u32) -> vec2<f32> {
  if (inRing) { return inRingAt(position); }
  let at = atOf(position);
  return decay[at] * vec2(ddecay[at], dx[at]);
}

fn visitUp(item: Item) {
  var sum = item.values.xy;
  for (var child = item.firstChild; child < item.endOfChildren; child++) { sum += childAt(child); }
  ddecay[item.at] = sum.x;
  dx[item.at] = sum.y;
  hand(item, item.decay * sum);
}

fn visitDown(item: Item) {
  let subtree = item.values.xy;
  var sum = subtree.y;
  var slope = 0.0;
  if (item.position > 0) {
    var above = vec2(0.0);
    if (inRing) {
      above = inRingAt(item.parent);
    } else {
      let at = atOf(item.parent);
      above = vec2(y[at], dx[at]);
    }
    let beyond = above - item.decay * subtree;
    sum += item.decay * beyond.y;
    slope = subtree.y * beyond.x + subtree.x * beyond.y;
  }
  dx[item.at] = sum;
  ddecay[item.at] = slope;
  hand(item, vec2(item.values.z, sum));
}`,
  }),
}));

const gradientRoot = programs('tree_scan_gradient_root', (passes: TreePasses) => ({
  ...treeBindings({ reads: { y: 'f32', dy: 'f32' }, writes }),
  code: treeCode(passes, {
    handed: 'f32',
    up: false,
    down: true,
    code: `
fn valuesDown(at: u32) -> vec4<f32> { return vec4(y[at], dy[at], 0, 0); }

fn visitDown(item: Item) {
  var sum = item.values.y;
  var slope = 0.0;
  if (item.position > 0) {
    var above = 0.0;
    if (inRing) { above = inRingAt(item.parent); } else { above = dx[atOf(item.parent)]; }
    sum += item.decay * above;
    slope = item.values.x * above;
  }
  dx[item.at] = sum;
  ddecay[item.at] = slope;
  hand(item, sum);
}`,
  }),
}));

registerWebgpuKernel(
  TreeScanGradient,
  ({ inputs, outputs, shapes, attributes, dispatch, limits, runner }) => {
    const isAll = attributes.aggregate === 'all';
    const passes = treePasses(shapes.x, isAll ? 2 : 1, limits);
    const numbers = treeNumbers(passes, shapes.x);
    if (numbers.groups === 0) return;
    const { x, decay, y, dy } = inputs;
    dispatch((isAll ? gradientAll : gradientRoot)(passes), {
      bind: { x, decay, y, dy, ...outputs, plan: planOf(runner, inputs) },
      numbers,
      workgroups: numbers.groups,
    });
  },
);

limitToChannelScans(TreeScanGradient, BACKEND);
