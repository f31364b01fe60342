/**
 * TreeScanGradient by doubling: see plugin/cpu/tree_scan_gradient.ts for the formulas. With r = log2(depth + 1)
 * rounded up: `root` and `leaves` r + 3 draws, `all` 3r + 5; one more where channels share a decay.
 */
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { TreeScanGradient } from '../../plugin/ops/tree_scan.js';
import { registerWebglKernel } from './kernels.js';
import {
  GroupSumProgram,
  OnePassDecayGradientProgram,
  WholeTreeDecayGradientProgram,
} from './programs/decay_gradient_program.js';
import { TreePasses } from './tree_passes.js';

registerWebglKernel(
  TreeScanGradient,
  ({ inputs, attributes: { aggregate }, ...kernel }) => {
    const { x, decay, order, parent, y, dy } = inputs;
    const { draw } = kernel;
    const [, , channels] = x.shape;
    const [, , groups] = decay.shape;
    const passes = new TreePasses({ order, parent }, x.shape, kernel);
    const overGroups = (slope: TensorInfo) =>
      groups === channels ? slope : draw(new GroupSumProgram([...decay.shape]), [slope], [channels / groups]);
    const onePass = (below: TensorInfo, above: TensorInfo) =>
      overGroups(draw(new OnePassDecayGradientProgram(x.shape), [below, above, passes.tree]));

    const startDy = passes.gather(dy, decay);
    if (aggregate === 'root') {
      const dx = passes.scatter(passes.spread(startDy));
      return [dx, onePass(y, dx)];
    }
    if (aggregate === 'leaves') {
      const dx = passes.scatter(passes.subtreeSums(startDy, 'release'));
      return [dx, onePass(dx, y)];
    }
    const subtreeDy = passes.subtreeSums(startDy, 'keep');
    const dx = passes.scatter(passes.wholeTreeSums(subtreeDy, startDy));
    const startX = passes.gather(x, decay);
    const subtreeX = passes.subtreeSums(startX, 'release');
    const gradient = new WholeTreeDecayGradientProgram(x.shape);
    return [dx, overGroups(draw(gradient, [subtreeX, subtreeDy, decay, y, dx, passes.tree], [groups]))];
  },
  { exact: true },
);
