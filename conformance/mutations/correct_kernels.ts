/** Kernels that are right: the float64 oracles, rounded once. What {@link FAULTS} are put into. */
import type { HostKernelFunction } from '../backend.js';
import { edgeWeightsInFloat32, type Metric } from '../oracles/edge_dissimilarity.js';
import {
  columns,
  discretize,
  gelu,
  layerNormalization,
  linear,
  silu,
  stateReadout,
} from '../oracles/fused_ops.js';
import { kruskal } from '../oracles/kruskal.js';
import { rootTree } from '../oracles/rooted_tree.js';
import { type Aggregate, treeScan, treeScanGradient } from '../oracles/tree_scan.js';
import { LANGUAGE_KERNELS } from './language_kernels.js';

type Arguments = Parameters<HostKernelFunction>[0];

/** Calls back with the item's part of every batched tensor; `size` elements an item, by name. */
export function forEachItem(
  { inputs, outputs, shapes }: Arguments,
  batched: readonly string[],
  visit: (
    input: (name: string) => Float32Array | Int32Array,
    output: (name: string) => Float32Array | Int32Array,
    item: number,
  ) => void,
): void {
  const batch = shapes[batched[0]][0];
  const part = (values: Float32Array | Int32Array, b: number) => {
    const size = values.length / batch;
    return values.subarray(b * size, (b + 1) * size);
  };
  for (let b = 0; b < batch; b++) {
    visit(
      (name) => (batched.includes(name) ? part(inputs[name], b) : inputs[name]),
      (name) => part(outputs[name], b),
      b,
    );
  }
}

/** The minimum spanning tree of one item, by a rule for choosing edges. */
export function treeKernel(
  choose: (weights: Float32Array, edges: Int32Array, numVertices: number) => Int32Array,
): HostKernelFunction {
  return (args) => {
    const numVertices = args.attributes.numVertices as number;
    const edges = args.inputs.edges as Int32Array;
    forEachItem(args, ['weights'], (input, output) => {
      const chosen = choose(input('weights') as Float32Array, edges, numVertices);
      const pairs = Array.from(chosen).flatMap((e) => [edges[2 * e], edges[2 * e + 1]]);
      const { order, parent } = rootTree(pairs, numVertices, args.attributes.root as number);
      output('edgeIndex').set(chosen);
      output('order').set(order);
      output('parent').set(parent);
    });
  };
}

export const TREE_INPUTS = ['x', 'decay', 'order', 'parent', 'y', 'dy'];

const whole =
  (name: string, run: (args: Arguments) => ArrayLike<number>): HostKernelFunction =>
  (args) =>
    args.outputs[name].set(run(args));

export const CORRECT_KERNELS: Readonly<Record<string, HostKernelFunction>> = {
  ...LANGUAGE_KERNELS,
  BoruvkaMST: treeKernel(kruskal),
  EdgeDissimilarity: (args) => {
    const channels = args.shapes.features[2];
    forEachItem(args, ['features'], (input, output) =>
      output('weights').set(
        edgeWeightsInFloat32(
          input('features'),
          args.inputs.edges,
          channels,
          args.attributes.metric as Metric,
        ),
      ),
    );
  },
  TreeScan: (args) => {
    const aggregate = args.attributes.aggregate as Aggregate;
    forEachItem(args, TREE_INPUTS, (input, output) => {
      const tree = { order: input('order') as Int32Array, parent: input('parent') as Int32Array };
      output('y').set(treeScan(input('x'), input('decay'), tree, args.shapes.x[2], aggregate));
    });
  },
  TreeScanGradient: (args) => {
    const aggregate = args.attributes.aggregate as Aggregate;
    forEachItem(args, TREE_INPUTS, (input, output) => {
      const tree = { order: input('order') as Int32Array, parent: input('parent') as Int32Array };
      const channels = args.shapes.x[2];
      const gradients = treeScanGradient(input('x'), input('decay'), input('dy'), tree, channels, aggregate);
      output('dx').set(gradients.dx);
      output('ddecay').set(gradients.ddecay);
    });
  },
  LayerNormalization: whole('y', ({ inputs: { x, gamma, beta }, attributes }) =>
    layerNormalization(x, gamma, beta, attributes.epsilon as number),
  ),
  Gelu: whole('y', ({ inputs }) => gelu(inputs.x)),
  Silu: whole('y', ({ inputs }) => silu(inputs.x)),
  Discretize: ({ inputs: { rawStep, stepBias, logA, inputGate, x }, outputs }) => {
    const { decay, input } = discretize(rawStep, stepBias, logA, inputGate, x);
    outputs.decay.set(decay);
    outputs.input.set(input);
  },
  Linear: whole('y', ({ inputs: { x, weights, bias }, shapes, attributes }) => {
    const columns = shapes.weights[1];
    const { activation, firstOutput = 0, endOutput = -1 } = attributes;
    const end = endOutput === -1 ? columns : Number(endOutput);
    return linear(x, weights, bias, columns, String(activation), [Number(firstOutput), end]);
  }),
  SelectiveSplit: ({ inputs: { selected }, shapes, outputs, attributes }) => {
    const [width, states] = [shapes.selected[2], attributes.states as number];
    outputs.step.set(columns(selected, width, 0, width - 2 * states));
    outputs.inputGate.set(columns(selected, width, width - 2 * states, width - states));
    outputs.outputGate.set(columns(selected, width, width - states, width));
  },
  StateReadout: whole('y', ({ inputs, attributes }) => {
    const { state, outputGate, x, skip, gate, stateGamma, stateBeta, outputGamma, outputBeta } = inputs;
    const affine = [stateGamma, stateBeta, outputGamma, outputBeta];
    return stateReadout(state, outputGate, x, skip, gate, affine, attributes.epsilon as number);
  }),
};
