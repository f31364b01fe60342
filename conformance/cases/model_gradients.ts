/** Gradients of a whole model with respect to its input and parameters, with pinned trees. */

import type { BatchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import { NotSupported } from '../backend.js';
import { layerBound, modelGradientBound } from '../bounds.js';
import { type CaseTensor, type ProgramCase, programCase } from '../case.js';
import { type Comparison, comparison, judge } from '../verdict.js';
import { inConstantLayout } from './graph_under_test.js';
import { type CheckpointUnderTest, treeFeeds } from './model_under_test.js';

export interface ModelGradientSource {
  readonly name: string;
  readonly checkpoint: CheckpointUnderTest;
  /** [N, H, W, 3], normalised. */
  readonly input: CaseTensor;
  readonly trees: readonly BatchOfTrees[];
  /** The node that is differentiated, such as `logits`. */
  readonly of: string;
  /** The gradient with respect to that node, which may depend on its value. */
  readonly upstream: (value: CaseTensor) => CaseTensor;
  readonly loss?: number;
  readonly lossOf?: (logits: CaseTensor) => number;
  /** [N, H, W, 3] */
  readonly inputGradient?: CaseTensor;
  /** By PyTorch name, in PyTorch's layout. */
  readonly parameters: ReadonlyMap<string, CaseTensor>;
}

export function modelGradientCase(source: ModelGradientSource): ProgramCase {
  const { name, checkpoint, input, trees, of, upstream, loss, lossOf, inputGradient } = source;
  // Gradients that are zero everywhere were not computed: the gradient of the head's bias is a sum of the upstream gradient,
  // which is not zero.
  const stored = new Map(
    [...source.parameters].filter(([, { values }]) => values.some((value) => value !== 0)),
  );
  return programCase(name, 'GrootV gradient, trees pinned', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const feeds = { normalized: input, ...treeFeeds(trees) };
      model.checkTrees(trees, input.shape);
      if (!model.has(of)) throw new NotSupported(`the model of ${checkpoint.path} has no ${of}`);
      const value = (await model.run(feeds, [of])).get(of) as CaseTensor;
      const dy = upstream(value);
      const { image, weights } = await model.gradients(of, feeds, dy, [...stored.keys()]);
      const bound = modelGradientBound(tolerance);
      const comparisons: Comparison[] = [];
      if (lossOf && loss !== undefined) {
        comparisons.push(comparison('loss', [lossOf(value)], [loss], layerBound(tolerance)));
      }
      if (inputGradient) {
        comparisons.push(comparison('input', image.values, inputGradient.values, bound));
      }
      for (const [parameter, expected] of stored) {
        const given = weights.get(parameter) as CaseTensor;
        comparisons.push(
          comparison(parameter, given.values, inConstantLayout(parameter, expected, given.shape), bound),
        );
      }
      return judge(comparisons);
    }),
  );
}
