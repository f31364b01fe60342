/**
 * Models with 8-bit weights, as written by `convert --quantize int8`, against the same model on the backend cpu, with pinned
 * trees if there are any. A case needs only the inputs of a file, not its expected values.
 *
 * Each layer with such weights is compared separately, given its actual inputs: its output must equal cpu's, bit for bit if no
 * activation follows. Whole networks differ by more where activations are rounded to 7 bits, since a value between two steps is
 * rounded up or down depending on the last bits of the preceding computation.
 */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { getBackend, setBackend } from '@tensorflow/tfjs-core';
import type { ToleranceClass } from '../../plugin/backends.js';
import { nodesOf } from '../../plugin/models/graph_editor.js';
import { hasOwnKernel } from '../../plugin/ops/kernels.js';
import { QuantizedConvolution } from '../../plugin/ops/quantized_convolution.js';
import { QuantizedLinear } from '../../plugin/ops/quantized_linear.js';
import type { Bound } from '../../plugin/ops/spec/bound.js';
import { type BatchOfTrees, batchOfTrees } from '../../plugin/ops/spec/rooted_tree.js';
import { NotSupported } from '../backend.js';
import { layerBound, OTHER_ROUNDINGS, quantizedLayerBound } from '../bounds.js';
import { withBuiltInOps } from '../built_in_ops.js';
import { type CaseTensor, type ProgramCase, programCase } from '../case.js';
import { digestOf } from '../digest.js';
import type { Judgement } from '../judgement.js';
import { measure } from '../measure.js';
import { combine, comparisonOf, fail, judge, show } from '../verdict.js';
import type { Feeds, GraphUnderTest } from './graph_under_test.js';
import { firstItems } from './model_inputs.js';
import { type ModelSource, pinnedBound } from './model_trees.js';
import { type CheckpointUnderTest, treeFeeds } from './model_under_test.js';

export interface QuantizedModelSource {
  readonly name: string;
  /** For example `GrootV`. */
  readonly family: string;
  /** Loads the model, converted with `quantize: 'int8'`, on the current backend, passes it to `body` and disposes of it. */
  readonly use: <T>(body: (model: GraphUnderTest) => Promise<T>) => Promise<T>;
  /** Includes trees, so that rounding causes no flips. */
  readonly feeds: Feeds;
  /** Nodes to compare, with the bounds for float32 weights. */
  readonly outputs: readonly (readonly [node: string, bound: (tolerance: ToleranceClass) => Bound])[];
}

const OPS = [QuantizedLinear, QuantizedConvolution];
/** Activations after which results have the same bits on every backend that multiplies integers. */
const EXACT_ACTIVATIONS = ['none', 'relu'];

interface QuantizedLayer {
  readonly node: string;
  /** The node of its input. */
  readonly x: string;
  /** Whether all backends that multiply integers give the same bits. */
  readonly isExact: boolean;
}

export function quantizedModelCase(source: QuantizedModelSource): ProgramCase {
  const { name, family, use, feeds, outputs } = source;
  const wholes = new Map<boolean, Promise<Map<string, CaseTensor>>>();
  /** The result on cpu for the whole network, computed once for all backends. */
  const whole = (rounds: boolean, model: GraphUnderTest) => {
    const found = wholes.get(rounds) ?? model.run(feeds, compared(model));
    wholes.set(rounds, found);
    return found;
  };
  const compared = (model: GraphUnderTest) => outputs.map(([node]) => node).filter((node) => model.has(node));
  return programCase(name, `${family}, int8`, ({ tolerance }) =>
    use(async (model) => {
      const layers = layersOf(model.model);
      if (layers.length === 0) {
        throw new NotSupported('no layer of the model is large enough for weights of 8 bits');
      }
      if (compared(model).length === 0) {
        throw new NotSupported(
          `the checkpoint gives a model without ${outputs.map(([node]) => node).join(', ')}`,
        );
      }
      const nodes = [...compared(model), ...layers.flatMap(({ node, x }) => [node, x])];
      const results = await model.run(feeds, [...new Set(nodes)]);
      const result = (node: string) => results.get(node) as CaseTensor;
      const rounds = hasOwnKernel(QuantizedLinear, getBackend());
      const { expected, alone } = await onCpu(rounds, use, async (model) => {
        const alone = new Map<string, CaseTensor>();
        for (const { node, x } of layers) {
          const [value] = (await model.run({ [x]: result(x) }, [node])).values();
          alone.set(node, value);
        }
        return { expected: await whole(rounds, model), alone };
      });
      const ofLayers = layers.map(({ node, isExact }) => {
        const bound = quantizedLayerBound(tolerance, rounds && isExact);
        return comparisonOf(node, result(node), alone.get(node) as CaseTensor, bound);
      });
      const judged = rounds
        ? judgeRounded(results, expected, await onCpu(false, use, (model) => whole(false, model)))
        : judge(
            outputs
              .filter(([node]) => model.has(node))
              .map(([node, bound]) =>
                comparisonOf(node, result(node), expected.get(node) as CaseTensor, bound(tolerance)),
              ),
          );
      return { ...combine([judge(ofLayers), judged]), bits: digestOf(results.values()) };
    }),
  );
}

/** A classifier or a backbone, on its first image. */
export function quantizedGrootVCase({ name, checkpoint, input, expected, trees }: ModelSource): ProgramCase {
  const normalized = firstItems(input, 1);
  const ofFirst = trees.trees.map(({ trees: [first] }) => batchOfTrees([first]));
  return quantizedModelCase({
    name,
    family: 'GrootV',
    use: withTrees(checkpoint, ofFirst, normalized),
    feeds: { normalized, ...treeFeeds(ofFirst) },
    outputs: expected.map(([node]) => [node, (tolerance) => pinnedBound(node, tolerance)]),
  });
}

/** The model of a checkpoint, after checking that the trees fit it for images [N, H, W, 3]. */
export function withTrees(
  checkpoint: CheckpointUnderTest,
  trees: readonly BatchOfTrees[],
  { shape }: CaseTensor,
): QuantizedModelSource['use'] {
  return (body) =>
    checkpoint.use((model) => {
      model.checkTrees(trees, shape);
      return body(model);
    });
}

function layersOf(model: GraphModel): QuantizedLayer[] {
  const names = OPS.map(({ name }) => name);
  return nodesOf(model)
    .filter(({ op }) => names.includes(op))
    .map(({ name: node, input = [], attr = {} }) => {
      const { s: activation = btoa('none') } = (attr.activation ?? {}) as { readonly s?: string };
      return { node, x: input[0], isExact: EXACT_ACTIVATIONS.includes(atob(activation)) };
    });
}

/** Runs the model on cpu, with integer kernels or with dequantised float32 weights, like the backend under test. */
async function onCpu<T>(
  rounds: boolean,
  use: QuantizedModelSource['use'],
  body: (model: GraphUnderTest) => Promise<T>,
): Promise<T> {
  const current = getBackend();
  await import('@tensorflow/tfjs-backend-cpu');
  await setBackend('cpu');
  try {
    return await withBuiltInOps(rounds ? [] : OPS, () => use(body));
  } finally {
    await setBackend(current);
  }
}

/** Outputs after 7-bit rounding of rows: at most as far from cpu's as different roundings of the same size allow. */
function judgeRounded(
  given: ReadonlyMap<string, CaseTensor>,
  expected: ReadonlyMap<string, CaseTensor>,
  exact: ReadonlyMap<string, CaseTensor>,
): Judgement {
  for (const [node, { shape, values }] of expected) {
    const own = given.get(node) as CaseTensor;
    if (own.shape.join() !== shape.join())
      return fail(`${node} has shape [${own.shape}], expected [${shape}]`);
    const { normwise } = measure(own.values, values);
    const rounding = measure(values, (exact.get(node) as CaseTensor).values).normwise;
    const allowed = OTHER_ROUNDINGS * rounding + layerBound('float32').relative;
    if (normwise > allowed) {
      return fail(
        `${node}: ${show(normwise)} of its norm off cpu, allowed ${show(allowed)}: rounded rows move it by ${show(rounding)}`,
      );
    }
  }
  return { verdict: 'pass', reason: '' };
}
