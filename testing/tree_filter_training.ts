/** A shared test: the example of a learnable tree filter on the current backend, compared with the backend `cpu`. */
import * as tf from '@tensorflow/tfjs-core';
import { initialWeights, sceneOf, train } from '../examples/tree-filter/learnable_filter.js';
import {
  filterByHand,
  filterMap,
  lossOfBoxes,
  lossOfFewLabels,
  scanOwnTree,
} from '../examples/tree-filter/uses.js';
import { learnableTreeFilter } from '../plugin/index.js';
import { relativeDifference } from './measure.js';

/** Test functions available in Node and in pages. */
interface Test {
  ok(value: boolean, what: string): unknown;
  equal<T>(given: T, expected: T, what: string): unknown;
}

const STEPS = 4;
/** For losses and gradients, relative to the largest: rounding in a scan, and in the preceding steps. */
const BOUND = 1e-3;

/** Trains for some steps and runs the listings of docs/family.md. */
export async function checkTreeFilterTraining(t: Test): Promise<void> {
  const backend = tf.getBackend();
  const given = await withScene(backend);
  const expected = backend === 'cpu' ? given : await withScene('cpu');
  await tf.setBackend(backend);
  const { losses } = given;
  t.equal(losses.length, STEPS + 1, 'a loss before each step and in the end');
  t.ok(
    losses[STEPS] < 0.8 * losses[0],
    `the loss falls: ${Array.from(losses, (loss) => loss.toFixed(3)).join(' ')}`,
  );
  for (const [what, values] of Object.entries(expected)) {
    const difference = relativeDifference(given[what], values);
    t.ok(difference <= BOUND, `${what}: ${difference.toExponential(1)} from cpu`);
  }
  const byHand = relativeDifference(given['smooth by hand'], given.smooth);
  t.ok(byHand <= BOUND, `smooth by hand: ${byHand.toExponential(1)} from the function`);
  t.equal(given.left[0], 0, 'no tensor is left behind');
}

/** Losses, gradients of every weight, and the results of the listings, by name. */
async function withScene(backend: string): Promise<Record<string, ArrayLike<number>>> {
  await tf.setBackend(backend);
  const before = tf.memory().numTensors;
  const scene = sceneOf(1);
  const found: Record<string, ArrayLike<number>> = { losses: await train(scene, STEPS) };
  const tensors = tf.tidy(() => ({ ...gradients(scene), ...listings(scene) }));
  for (const [name, tensor] of Object.entries(tensors)) found[name] = (await tensor.data()).slice();
  tf.dispose([{ ...scene }, tensors]);
  return { ...found, left: [tf.memory().numTensors - before] };
}

/**
 * Gradients of the sum of squares of the filter's output with respect to its weights and inputs, along the minimum spanning tree.
 */
function gradients({ feature, guide }: ReturnType<typeof sceneOf>): Record<string, tf.Tensor> {
  const { head, ...variables } = initialWeights(2);
  const names = Object.keys(variables) as (keyof typeof variables)[];
  const gradientsOf = tf.grads((...args: tf.Tensor[]) => {
    const weights = Object.fromEntries(names.map((name, i) => [name, args[i + 2]]));
    const filtered = learnableTreeFilter(args[0], args[1], weights as unknown as typeof variables);
    return tf.sum(tf.square(filtered));
  });
  const found = gradientsOf([feature, guide, ...names.map((name) => variables[name])]);
  tf.dispose([head, ...Object.values(variables)]);
  return Object.fromEntries(
    found.map((gradient, i) => [`gradient ${['feature', 'guide', ...names][i]}`, gradient]),
  );
}

function listings({ feature, guide, labels }: ReturnType<typeof sceneOf>): Record<string, tf.Tensor> {
  const [, height, width, channels] = feature.shape;
  const { smooth, grouped } = filterMap(feature, guide);
  const rows = tf.reshape(feature, [1, height * width, channels]) as tf.Tensor3D;
  const [mask] = tf.unstack(feature, 3) as tf.Tensor3D[];
  return {
    smooth,
    grouped,
    'smooth by hand': filterByHand(feature, guide),
    ...scanOwnTree(rows, height, width),
    'few labels': lossOfFewLabels(feature, guide, labels, guide),
    boxes: lossOfBoxes(mask, tf.cast(labels, 'float32') as tf.Tensor3D, guide, guide),
  };
}
