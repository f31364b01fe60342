/**
 * SelectiveScan and SelectiveTreeScan by doubling, for groups of states at a time, so that textures stay small. With r =
 * log2(L) and s = log2(depth + 1), rounded up, a group takes r + 3 draws, and with a tree r + s + 4.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { OpDeclaration } from '../../plugin/ops/declaration.js';
import { SelectiveScan } from '../../plugin/ops/selective_scan.js';
import { SelectiveTreeScan } from '../../plugin/ops/selective_tree_scan.js';
import { registerWebglKernel, type WebglKernelArguments } from './kernels.js';
import { affineCompositionProgram } from './programs/affine_composition_program.js';
import { lastStateProgram, selectiveReadoutProgram } from './programs/selective_readout_program.js';
import {
  type StateGroup,
  selectiveStartProgram,
  selectiveStateShape,
} from './programs/selective_start_program.js';
import { TreePasses } from './tree_passes.js';

/** Texels of the states of one group: 64 MiB per texture, of which up to five exist at a time. */
const MAX_TEXELS = 2 ** 22;

type ScanInputs = Readonly<
  Record<'step' | 'deltaU' | 'logA' | 'inputGate' | 'outputGate', TensorInfo> & { state?: TensorInfo }
>;

interface Options {
  readonly inputScale: number;
  readonly treeWeight: number;
  readonly tree?: { readonly order: TensorInfo; readonly parent: TensorInfo };
}

type Kernel = Omit<WebglKernelArguments<OpDeclaration>, 'inputs' | 'attributes'>;

registerWebglKernel(
  SelectiveScan,
  ({ inputs, attributes, ...kernel }) =>
    scan(inputs, { inputScale: attributes.inputScale, treeWeight: 0 }, kernel),
  { exact: true },
);

registerWebglKernel(
  SelectiveTreeScan,
  ({ inputs: { order, parent, ...inputs }, attributes, ...kernel }) =>
    scan(inputs, { inputScale: 1, treeWeight: attributes.treeWeight, tree: { order, parent } }, kernel),
  { exact: true },
);

function scan(inputs: ScanInputs, { inputScale, treeWeight, tree }: Options, kernel: Kernel): TensorInfo[] {
  const { step, deltaU, logA, inputGate, outputGate, state } = inputs;
  const { draw, release, outputs } = kernel;
  const [, length, channels] = step.shape;
  const [, states] = logA.shape;
  if (states === 0) return kernel.runOnHost(); // there are no textures without states
  const passes = tree && new TreePasses(tree, step.shape, kernel);
  const driven = [step, deltaU, logA, inputGate];

  let results: TensorInfo[] = [];
  for (const group of groupsOf(step.shape, states)) {
    const shape = selectiveStateShape(step.shape, group);
    const sizes = [channels, states, group.first, inputScale];

    let chain = draw(
      selectiveStartProgram(shape, 'chain', state !== undefined),
      state ? [...driven, state] : driven,
      sizes,
    );
    for (let round = 0; 2 ** round < length; round++) {
      const next = draw(affineCompositionProgram(shape, 'chain'), [chain], [round]);
      release(chain);
      chain = next;
    }
    const sums = passes?.subtreeSums(
      draw(selectiveStartProgram(shape, 'tree', false), [...driven, passes.tree], sizes),
      'release',
    );

    const parts = { hasTree: passes !== undefined, hasPartial: results.length > 0 };
    const ofTree = passes && sums ? [sums, passes.tree] : [];
    const uniforms = [length, states, group.first, group.count, treeWeight];
    const [y, last] = results;
    results = [
      draw(
        selectiveReadoutProgram(outputs[0].shape, parts),
        [chain, outputGate, ...ofTree, ...(y ? [y] : [])],
        uniforms,
      ),
      draw(lastStateProgram(outputs[1].shape, parts), [chain, ...ofTree, ...(last ? [last] : [])], uniforms),
    ];
    for (const used of [chain, sums, y, last]) if (used) release(used);
  }
  return results;
}

/** Groups of as many states as fit. */
function groupsOf(shape: readonly number[], states: number): StateGroup[] {
  const [batch, rows, columns] = selectiveStateShape(shape, { first: 0, count: 1 });
  const texels = (batch * rows * columns) / 4;
  const count = Math.max(1, Math.min(states, Math.floor(MAX_TEXELS / texels)));
  return Array.from({ length: Math.ceil(states / count) }, (_, i) => ({
    first: i * count,
    count: Math.min(count, states - i * count),
  }));
}
