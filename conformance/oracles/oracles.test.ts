import t from 'tap';
import { shuffledTree, TREE_SHAPES } from '../generated/graphs.js';
import { Random } from '../generated/random.js';
import { certify } from './certificate.js';
import { centralDifferences, gelu, siluOf, softplusOf } from './fused_ops.js';
import { kruskal } from './kruskal.js';
import { causalConvolution, selectiveScan, selectiveTreeScan, windowPairs } from './language_ops.js';
import { depthOf, parentIdsOf, rootTree, treeOfParentIds } from './rooted_tree.js';
import { treeScan, treeScanByDefinition, treeScanGradient } from './tree_scan.js';

const near = (a: ArrayLike<number>, b: ArrayLike<number>, most: number) =>
  a.length === b.length && Array.from(a).every((value, i) => Math.abs(value - b[i]) <= most);

t.test(
  'scans by messages are scans by definition, and their gradients the central differences of those',
  async (t) => {
    const random = new Random(7);
    for (const shape of Object.keys(TREE_SHAPES)) {
      for (const aggregate of ['all', 'root'] as const) {
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

t.test('trees', async (t) => {
  const tree = rootTree([0, 2, 2, 1, 2, 3], 4, 1);
  t.same([...tree.order], [1, 2, 0, 3]);
  t.same([...tree.parent], [0, 0, 1, 1]);
  t.equal(depthOf(tree), 2);
  t.same(parentIdsOf(treeOfParentIds([2, -1, 1, 2])), [2, -1, 1, 2]);
  t.throws(() => rootTree([0, 1, 0, 1], 3), /no tree/);
  t.throws(() => treeOfParentIds([0, 0]), /no tree/);
});

t.test('Kruskal orders by weight, then by index; NaN comes last and -0 is +0', async (t) => {
  const triangle = [0, 1, 1, 2, 0, 2];
  t.same([...kruskal([1, 1, 1], triangle, 3)], [0, 1]);
  t.same([...kruskal([Number.NaN, Infinity, 0], triangle, 3)], [1, 2]);
  t.same([...kruskal([0, -0, -0], triangle, 3)], [0, 1]);
  t.throws(() => kruskal([1], [0, 1], 3), /not connected/);
});

t.test('a certificate says by how much an edge could be lighter', async (t) => {
  const triangle = [0, 1, 1, 2, 0, 2];
  t.same(certify([0, 1], [1, 2, 3], triangle, 3), { margin: -1, edge: 2 });
  t.same(certify([1, 2], [1, 2, 3], triangle, 3), { margin: 2, edge: 0 });
  t.throws(() => certify([0, 0], [1, 2, 3], triangle, 3), /no tree/);
});

t.test('a selective tree scan whose tree is the chain is a scaled selective scan', async (t) => {
  const random = new Random(11);
  const sizes = { batch: 2, length: 5, channels: 3, states: 2 };
  const values = (count: number) => Float64Array.from({ length: count }, () => random.normal());
  const inputs = {
    step: values(30).map(Math.abs),
    drive: values(30),
    logA: values(6),
    inputGate: values(20),
    outputGate: values(20),
  };
  const chain = treeOfParentIds([-1, 0, 1, 2, 3]);
  const tree = selectiveTreeScan(inputs, sizes, [chain, chain], 0.3);
  const scan = selectiveScan(inputs, sizes, { inputScale: 1.3 });
  t.ok(near(tree.y, scan.y, 1e-12));
  t.ok(near(tree.nextState, scan.nextState, 1e-12));
  // One channel, one state, by hand: h = 1 * 2, then exp(-1) h + 3 * 1.
  const one = { batch: 1, length: 2, channels: 1, states: 1 };
  const [drive, inputGate, outputGate] = [
    [1, 3],
    [2, 1],
    [1, 2],
  ];
  const { y, nextState } = selectiveScan({ step: [1, 1], drive, logA: [0], inputGate, outputGate }, one);
  const last = 2 * Math.exp(-1) + 3;
  t.ok(near(y, [2, 2 * last], 1e-12));
  t.ok(near(nextState, [last], 1e-12));
  // And from the halves of a text the whole.
  const x = values(20);
  const half = { batch: 1, length: 5, channels: 2 };
  const [filter, bias] = [values(6), values(2)];
  const whole = causalConvolution(x, filter, bias, undefined, { ...half, length: 10 });
  const first = causalConvolution(x.subarray(0, 10), filter, bias, undefined, half);
  const second = causalConvolution(x.subarray(10), filter, bias, first.nextPast, half);
  t.same([...first.y, ...second.y], [...whole.y]);
  t.same(second.nextPast, whole.nextPast);
  t.same(windowPairs(5, 3), [0, 1, 1, 2, 2, 3, 2, 4, 3, 4]);
});

t.test('formulas at known points', async (t) => {
  t.ok(near(gelu([1, -1, 0]), [0.8413447460685429, -0.15865525393145707, 0], 1e-12));
  t.ok(near([siluOf(1), softplusOf(0), softplusOf(100)], [0.7310585786300049, Math.LN2, 100], 1e-15));
});
