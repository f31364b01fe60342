import t from 'tap';
import { geluOf, siluOf, softplusOf } from '../activations.spec.js';
import { batchNormalizationSpec } from '../batch_normalization.spec.js';
import { causalConvolutionSpec } from '../causal_convolution.spec.js';
import { convolutionSpec } from '../convolution.spec.js';
import type { Attributes } from '../declaration.js';
import { gatedLinearSpec, residualLinearSpec } from '../fused_linear.spec.js';
import { OPS } from '../index.js';
import { linearSpec } from '../linear.spec.js';
import { selectiveScanSpec } from '../selective_scan.spec.js';
import { selectiveTreeScanSpec } from '../selective_tree_scan.spec.js';
import { SPECS } from '../specs.js';
import { windowPairs } from '../window_graph.spec.js';
import { centralDifferences, gradientsOf } from './differences.js';
import { shuffledTree, TREE_SHAPES } from './graphs.js';
import { kruskal } from './kruskal.js';
import { Random } from './random.js';
import {
  batchOfTrees,
  depthOf,
  parentIdsOf,
  type RootedTree,
  rootTree,
  treeOfParentIds,
} from './rooted_tree.js';
import { formulaArguments, type NamedValues, type OpSpec } from './spec.js';
import { type CaseTensors, float64 } from './tensor.js';
import { type Aggregate, treeScan, treeScanGradient } from './tree_scan.js';

const near = (a: ArrayLike<number>, b: ArrayLike<number>, most: number) =>
  a.length === b.length && Array.from(a).every((value, i) => Math.abs(value - b[i]) <= most);

t.test(
  'scans by messages are scans by definition, and their gradients the central differences of those',
  async (t) => {
    const random = new Random(7);
    for (const shape of Object.keys(TREE_SHAPES)) {
      for (const aggregate of ['all', 'root', 'leaves'] as const) {
        const [V, D] = [random.integer(1, 9), random.integer(1, 2)];
        const tree = shuffledTree(shape, V, random);
        const values = () => Float64Array.from({ length: V * D }, () => random.normal());
        const [x, decay, dy] = [values(), values(), values()];
        const definition = (x: ArrayLike<number>, decay: ArrayLike<number>) =>
          treeScanByDefinition(x, decay, tree, D, aggregate);
        t.ok(
          near(treeScan(x, decay, tree, D, aggregate), definition(x, decay), 1e-11),
          `${shape}, ${aggregate}`,
        );
        const [dx, ddecay] = centralDifferences(
          ([x, decay]) => definition(x, decay).reduce((sum, y, i) => sum + y * dy[i], 0),
          [x, decay],
        );
        const gradient = treeScanGradient(x, decay, dy, tree, D, aggregate);
        t.ok(near(gradient.dx, dx, 1e-7), `${shape}, ${aggregate}, dx`);
        t.ok(near(gradient.ddecay, ddecay, 1e-7), `${shape}, ${aggregate}, ddecay`);
      }
    }
  },
);

t.test('gradients of layers are the central differences of their formulas', async (t) => {
  const random = new Random(8);
  const layers = [linearSpec, residualLinearSpec, gatedLinearSpec];
  const others = [convolutionSpec, batchNormalizationSpec, selectiveScanSpec, selectiveTreeScanSpec];
  for (const spec of [...layers, ...others]) {
    const isLayer = layers.includes(spec);
    // Differences take a pass per value, and are less accurate for roots and exponentials.
    const most = isLayer ? 1e-8 : 1e-6;
    const isSmall = (inputs: CaseTensors) =>
      isLayer
        ? inputs.x.values.length < 200
        : Object.values(inputs).every(({ values }) => values.length < 400);
    const samples = spec.samples(random).filter(({ withoutGradient }) => !withoutGradient);
    const small = samples.filter(({ inputs }) => isSmall(inputs));
    t.ok(small.length >= 4, spec.op.name);
    for (const { what, inputs, attributes } of small) {
      const args = formulaArguments(spec.op, inputs, attributes ?? {});
      const outputs = Object.entries(spec.formula(args));
      const dy = Object.fromEntries(
        outputs.map(([name, values]) => {
          const isDifferentiable = spec.differentiable?.includes(name) ?? true;
          return [name, Float64Array.from(values, () => (isDifferentiable ? random.normal() : 0))];
        }),
      );
      const gradients = gradientsOf(spec, args, dy);
      const differences = gradientsOf({ ...spec, gradient: undefined }, args, dy);
      t.same(Object.keys(gradients).sort(), Object.keys(differences).sort());
      for (const [name, expected] of Object.entries(differences)) {
        t.ok(near(gradients[name], expected, most), `${spec.op.name}, ${what}: ${name}`);
      }
    }
  }
});

t.test('trees', async (t) => {
  const tree = rootTree([0, 2, 2, 1, 2, 3], 4, 1);
  t.same([...tree.order], [1, 2, 0, 3]);
  t.same([...tree.parent], [0, 0, 1, 1]);
  t.equal(depthOf(tree), 2);
  t.same(parentIdsOf(treeOfParentIds([2, -1, 1, 2])), [2, -1, 1, 2]);
  t.throws(() => rootTree([0, 1, 0, 1], 3), /no tree/);
  t.throws(() => treeOfParentIds([0, 0]), /not a tree/);
});

t.test('Kruskal orders by weight, then by index; NaN comes last and -0 is +0', async (t) => {
  const triangle = [0, 1, 1, 2, 0, 2];
  t.same([...kruskal([1, 1, 1], triangle, 3)], [0, 1]);
  t.same([...kruskal([Number.NaN, Infinity, 0], triangle, 3)], [1, 2]);
  t.same([...kruskal([0, -0, -0], triangle, 3)], [0, 1]);
  t.throws(() => kruskal([1], [0, 1], 3), /not connected/);
});

t.test('every op has a spec with samples and faults', async (t) => {
  const kernels = SPECS.flatMap(({ op, gradientKernel }) => [
    op,
    ...(gradientKernel ? [gradientKernel.op] : []),
  ]);
  t.same(kernels.map(({ name }) => name).sort(), OPS.map(({ name }) => name).sort());
  for (const { op, samples, faults } of SPECS) {
    const names = samples(new Random(1)).map(({ what }) => what);
    t.ok(names.length > 0 && new Set(names).size === names.length, `${op.name}: ${names.length} samples`);
    t.ok(Object.keys(faults).length > 0, `${op.name}: ${Object.keys(faults).length} faults`);
  }
});

t.test('a selective tree scan whose tree is the chain is a scaled selective scan', async (t) => {
  const random = new Random(11);
  const tokens = [2, 5];
  const inputs = {
    step: random.tensor([...tokens, 3], () => random.next()),
    deltaU: random.tensor([...tokens, 3]),
    logA: random.tensor([3, 2]),
    inputGate: random.tensor([...tokens, 2]),
    outputGate: random.tensor([...tokens, 2]),
  };
  const chain = treeOfParentIds([-1, 0, 1, 2, 3]);
  const { order, parent } = batchOfTrees([chain, chain]);
  const tree = run(selectiveTreeScanSpec, { ...inputs, order, parent }, { treeWeight: 0.3 });
  const scan = run(selectiveScanSpec, inputs, { inputScale: 1.3 });
  t.ok(near(tree.y, scan.y, 1e-12));
  t.ok(near(tree.nextState, scan.nextState, 1e-12));
});

t.test('a selective scan by hand: h = 1 * 2, then exp(-1) h + 3 * 1', async (t) => {
  const tokens = (values: number[]) => float64([1, 2, 1], values);
  const { y, nextState } = run(selectiveScanSpec, {
    step: tokens([1, 1]),
    deltaU: tokens([1, 3]),
    logA: float64([1, 1], [0]),
    inputGate: tokens([2, 1]),
    outputGate: tokens([1, 2]),
  });
  const last = 2 * Math.exp(-1) + 3;
  t.ok(near(y, [2, 2 * last], 1e-12));
  t.ok(near(nextState, [last], 1e-12));
});

t.test('a convolution of the halves of a text is that of the whole', async (t) => {
  const random = new Random(12);
  const x = random.tensor([1, 10, 2]);
  const parameters = { filter: random.tensor([3, 2]), bias: random.tensor([2]) };
  const whole = run(causalConvolutionSpec, { x, ...parameters });
  const half = (first: number) => float64([1, 5, 2], x.values.slice(first, first + 10));
  const first = run(causalConvolutionSpec, { x: half(0), ...parameters });
  const past = float64([1, 2, 2], first.nextPast);
  const second = run(causalConvolutionSpec, { x: half(10), ...parameters, past });
  t.same([...Array.from(first.y), ...Array.from(second.y)], Array.from(whole.y));
  t.same(Array.from(second.nextPast), Array.from(whole.nextPast));
  t.same(windowPairs(5, 3), [0, 1, 1, 2, 2, 3, 2, 4, 3, 4]);
});

t.test('activations at known points', async (t) => {
  t.ok(near([1, -1, 0].map(geluOf), [0.8413447460685429, -0.15865525393145707, 0], 1e-12));
  t.ok(near([siluOf(1), softplusOf(0), softplusOf(100)], [0.7310585786300049, Math.LN2, 100], 1e-15));
});

function run(spec: OpSpec, inputs: CaseTensors, attributes: Attributes = {}): NamedValues {
  return spec.formula(formulaArguments(spec.op, inputs, attributes));
}

/** A tree scan by the definition, each pair of vertices separately: O(V^2 * depth). */
function treeScanByDefinition(
  x: ArrayLike<number>,
  decay: ArrayLike<number>,
  { order, parent }: RootedTree,
  channels: number,
  aggregate: Aggregate,
): Float64Array {
  const y = new Float64Array(x.length);
  const depth = new Int32Array(order.length);
  for (let i = 1; i < order.length; i++) depth[i] = depth[parent[i]] + 1;
  for (let from = 0; from < order.length; from++) {
    for (let to = 0; to < order.length; to++) {
      for (let d = 0; d < channels; d++) {
        let [a, b, product] = [from, to, 1];
        const climbs = {
          all: () => true,
          root: () => depth[a] > depth[b],
          leaves: () => depth[a] < depth[b],
        };
        while (a !== b && climbs[aggregate]()) {
          if (depth[a] >= depth[b]) {
            product *= decay[order[a] * channels + d];
            a = parent[a];
          } else {
            product *= decay[order[b] * channels + d];
            b = parent[b];
          }
        }
        if (a === b) y[order[to] * channels + d] += x[order[from] * channels + d] * product;
      }
    }
  }
  return y;
}
