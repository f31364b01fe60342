/**
 * TreeScanGradient: tree_passes.ts; the formulas are in plugin/cpu/tree_scan_gradient.ts. In the mode `all` the subtree sums
 * of x and dy are computed together on the way up; between the passes they are in the outputs. `slope` is the gradient of a
 * decay per channel; if a group of channels shares a decay, the sums are a second dispatch, because workgroups do not
 * communicate.
 */
import { type Aggregate, TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { floats } from './elements.js';
import { registerWebgpuKernel } from './kernels.js';
import { programs } from './program.js';
import { rows } from './rows.js';
import { type TreePasses, treeBindings, treeCode, treeNumbers, treePasses } from './tree_passes.js';
import { planOf } from './tree_plan.js';

const PASSES = {
  all: {
    handed: 'vec2<f32>',
    up: {
      values: 'vec4(x[at], dy[at], 0, 0)',
      stored: 'decayOf(vertex) * vec2(slope[at], dx[at])',
      visit: `
        let sum = withChildren(item, item.values.xy);
        slope[item.at] = sum.x;
        dx[item.at] = sum.y;
        hand(item, item.decay * sum);
      `,
    },
    down: {
      // Subtree sums, and y.
      values: 'vec4(slope[at], dx[at], y[at], 0)',
      stored: 'vec2(y[at], dx[at])',
      visit: `
        let subtree = item.values.xy;
        var sum = subtree.y;
        var product = 0.0;
        if (item.position > 0) {
          let beyond = parentAt(item.parent) - item.decay * subtree;
          sum += item.decay * beyond.y;
          product = subtree.y * beyond.x + subtree.x * beyond.y;
        }
        dx[item.at] = sum;
        slope[item.at] = product;
        hand(item, vec2(item.values.z, sum));
      `,
    },
  },
  root: {
    handed: 'f32',
    down: {
      values: 'vec4(y[at], dy[at], 0, 0)',
      stored: 'dx[at]',
      visit: `
        var sum = item.values.y;
        var product = 0.0;
        if (item.position > 0) {
          let above = parentAt(item.parent);
          sum += item.decay * above;
          product = item.values.x * above;
        }
        dx[item.at] = sum;
        slope[item.at] = product;
        hand(item, sum);
      `,
    },
  },
  leaves: {
    handed: 'f32',
    up: {
      // y of the parent; the root has none.
      values: 'vec4(dy[at], select(0.0, y[atOf(plan[parents + position])], position > 0), 0, 0)',
      stored: 'decayOf(vertex) * dx[at]',
      visit: `
        let sum = withChildren(item, item.values.x);
        dx[item.at] = sum;
        slope[item.at] = select(0.0, sum * item.values.y, item.position > 0);
        hand(item, item.decay * sum);
      `,
    },
  },
} as const;

const gradients = programs(
  'tree_scan_gradient',
  ({ aggregate, ...passes }: TreePasses & { aggregate: Aggregate }) => ({
    ...treeBindings({
      reads: floats(...(aggregate === 'all' ? ['x'] : []), 'y', 'dy'),
      writes: floats('dx', 'slope'),
    }),
    code: treeCode(passes, PASSES[aggregate]),
  }),
);

/** A row is a group of channels of a vertex. */
const sumOfGroup = rows('tree_scan_gradient_groups', () => ({
  reads: { slope: 'f32' },
  writes: { ddecay: 'f32' },
  body: `
    var sum = 0.0;
    FOR_CHANNELS(c) { sum += slope[first + c]; }
    let total = sum_of_row(lane, sum);
    if (isFirst) { ddecay[row] = total; }
  `,
}));

registerWebgpuKernel(
  TreeScanGradient,
  ({ inputs, outputs, shapes, attributes: { aggregate }, dispatch, limits, runner, scratch }) => {
    const [batch, numVertices, channels] = shapes.x;
    const [, , groups] = shapes.decay;
    const passes = treePasses(shapes.x, aggregate === 'all' ? 2 : 1, limits);
    const numbers = treeNumbers(passes, shapes.x, groups);
    const { x, decay, y, dy } = inputs;
    const { dx, ddecay } = outputs;
    const slope = groups === channels ? ddecay : scratch(4 * batch * numVertices * channels);
    if (numbers.workgroups > 0) {
      dispatch(gradients({ ...passes, aggregate }), {
        bind: { x, decay, y, dy, dx, slope, plan: planOf(runner, inputs) },
        numbers,
        workgroups: numbers.workgroups,
      });
    }
    if (groups === channels) return;
    const sums = { rows: batch * numVertices * groups, channels: channels / groups };
    sumOfGroup({ dispatch, limits }, { ...sums, bind: { slope, ddecay } });
  },
);
