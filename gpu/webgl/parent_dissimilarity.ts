/**
 * ParentDissimilarity in one draw, and its gradient in one, for the cosine in two; the formulas are in plugin/cpu/slopes.ts.
 */
import { ParentDissimilarity, ParentDissimilarityGradient } from '../../plugin/ops/parent_dissimilarity.js';
import { registerWebglKernel } from './kernels.js';
import {
  ParentCosineProgram,
  ParentDissimilarityGradientProgram,
  ParentDissimilarityProgram,
} from './programs/parent_dissimilarity_programs.js';
import { TreePasses } from './tree_passes.js';

registerWebglKernel(
  ParentDissimilarity,
  ({ inputs: { features, order, parent }, outputs, attributes: { metric }, runOnHost, ...kernel }) => {
    const [, , channels] = features.shape;
    if (channels === 0) return runOnHost(); // no texture holds features without channels
    const { tree } = new TreePasses({ order, parent }, features.shape, { ...kernel, runOnHost });
    return [
      kernel.draw(new ParentDissimilarityProgram(outputs[0].shape, metric), [features, tree], [channels]),
    ];
  },
  { exact: true },
);

registerWebglKernel(
  ParentDissimilarityGradient,
  ({ inputs, attributes: { metric, groups }, runOnHost, ...kernel }) => {
    const { features, order, parent, dy } = inputs;
    const [batch, numVertices, channels] = features.shape;
    const passes = new TreePasses({ order, parent }, features.shape, { ...kernel, runOnHost });
    // Without edges there is no table of children.
    if (channels === 0 || !passes.children) return runOnHost();
    const { tree } = passes;
    const [children, layer] = passes.children;
    const given = [features, dy, tree, children];
    if (metric === 'cosine') {
      given.push(
        kernel.draw(
          new ParentCosineProgram([batch, 2 * numVertices, 2 * groups]),
          [features, tree],
          [channels],
        ),
      );
    }
    const program = new ParentDissimilarityGradientProgram(features.shape, metric);
    return [kernel.draw(program, given, [groups, layer])];
  },
  { exact: true },
);
