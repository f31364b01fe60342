/** Gradients of a whole model in its input and its parameters, with the trees pinned. */
import { layerBound, modelGradientBound } from '../bounds.js';
import type { CaseTensor, ProgramCase } from '../case.js';
import { type Comparison, judge } from '../verdict.js';
import { inConstantLayout } from './graph_under_test.js';
import { type CheckpointUnderTest, treeFeeds } from './model_under_test.js';
import type { BatchOfTrees } from './tree_cases.js';

export interface ModelGradientSource {
  readonly name: string;
  readonly checkpoint: CheckpointUnderTest;
  /** [N, H, W, 3], normalised. */
  readonly input: CaseTensor;
  readonly trees: readonly BatchOfTrees[];
  /** The gradient of the logits [N, K], which may depend on them. */
  readonly upstream: (logits: CaseTensor) => CaseTensor;
  readonly loss?: number;
  readonly lossOf?: (logits: CaseTensor) => number;
  /** [N, H, W, 3] */
  readonly inputGradient?: CaseTensor;
  /** By PyTorch name, in PyTorch's layout. */
  readonly parameters: ReadonlyMap<string, CaseTensor>;
}

export function modelGradientCase(source: ModelGradientSource): ProgramCase {
  const { name, checkpoint, input, trees, upstream, loss, lossOf, inputGradient } = source;
  // Gradients that are zero throughout were never computed: the bias of the head sums what comes in, which is not.
  const stored = new Map(
    [...source.parameters].filter(([, { values }]) => values.some((value) => value !== 0)),
  );
  return {
    kind: 'program',
    name,
    op: 'GrootV gradient, trees pinned',
    run: ({ tolerance }) =>
      checkpoint.use(async (model) => {
        const feeds = { normalized: input, ...treeFeeds(trees) };
        const logits = (await model.run(feeds, ['logits'])).get('logits') as CaseTensor;
        const { image, weights } = await model.gradients(feeds, upstream(logits), [...stored.keys()]);
        const bound = modelGradientBound(tolerance);
        const comparisons: Comparison[] = [];
        if (lossOf && loss !== undefined) {
          comparisons.push({
            tensor: 'loss',
            given: [lossOf(logits)],
            wanted: [loss],
            bound: layerBound(tolerance),
          });
        }
        if (inputGradient) {
          comparisons.push({ tensor: 'input', given: image.values, wanted: inputGradient.values, bound });
        }
        for (const [parameter, wanted] of stored) {
          const given = weights.get(parameter) as CaseTensor;
          comparisons.push({
            tensor: parameter,
            given: given.values,
            wanted: inConstantLayout(parameter, wanted, given.shape),
            bound,
          });
        }
        return judge(comparisons);
      }),
  };
}
