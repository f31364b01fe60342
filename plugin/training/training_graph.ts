/** Modifies a graph for training: BatchNorms use batch statistics, and drop path and dropout are added. */
import { FLOAT, type GraphEditor } from '../models/graph_editor.js';
import { nodeName } from '../models/node_inputs.js';

/** The nodes of a batch's statistics in a BatchNorm, and the running statistics that are updated from them. */
export interface BatchStatistics {
  /** The input that is normalised, [..., C]. */
  readonly x: string;
  /** Mean and biased variance, [C]. */
  readonly mean: string;
  readonly variance: string;
  /** Names of the weights. */
  readonly runningMean: string;
  readonly runningVariance: string;
}

/** A factor that is 0 with some probability, and otherwise such that the expected value is 1. */
export interface RandomFactor {
  /** Its placeholder. */
  readonly input: string;
  readonly probability: number;
  /** Shape of the factor: one value per sample, or one per feature of a sample. */
  readonly shape: (samples: number) => number[];
}

const BATCH_NORM = /^FusedBatchNorm(V\d)?$/;

/** Returns the weights that BatchNorms read as running statistics. */
export function runningStatistics({ nodes }: GraphEditor): Set<string> {
  return new Set(
    [...nodes.values()]
      .filter(({ op }) => BATCH_NORM.test(op))
      .flatMap(({ input = [] }) => input.slice(3, 5).map(nodeName)),
  );
}

/**
 * Makes every BatchNorm use the statistics of its batch. Gradients flow through them.
 * @param isFrozen takes the name of a BatchNorm's `weight`; a frozen one keeps using the running statistics
 */
export function useBatchStatistics(
  graph: GraphEditor,
  isFrozen: (parameter: string) => boolean,
): BatchStatistics[] {
  const found = [...graph.nodes.values()].filter(
    ({ op, input = [] }) => BATCH_NORM.test(op) && !isFrozen(nodeName(input[1])),
  );
  return found.map(({ name, input = [], attr = {} }) => {
    const [x, gamma, beta, runningMean, runningVariance] = input;
    graph.replace(name, 'BatchNormalization', [x, gamma, beta], { ...FLOAT, epsilon: attr.epsilon });
    return {
      x,
      mean: `${name}:1`,
      variance: `${name}:2`,
      runningMean: nodeName(runningMean),
      runningVariance: nodeName(runningVariance),
    };
  });
}

/**
 * Replaces max pooling with a 1 x 1 window, which drops rows and columns, by average pooling, which gives the same values.
 * On tfjs's wasm backend the gradient of MaxPool is wrong if a whole window is negative.
 */
export function averageSinglePixels(graph: GraphEditor): void {
  for (const { name, op, input = [], attr = {} } of [...graph.nodes.values()]) {
    const { ksize } = attr as { ksize?: { list?: { i?: readonly (number | string)[] } } };
    const isSingle = ksize?.list?.i?.every((side) => Number(side) === 1);
    if (op === 'MaxPool' && isSingle) graph.replace(name, 'AvgPool', input, attr);
  }
}

/**
 * Drop path (G. Huang et al., "Deep Networks with Stochastic Depth", 2016): both branches of a block are dropped at random,
 * independently for each sample.
 * @param rate of the last block; the rates of earlier blocks decrease linearly to 0 at the first
 */
export function addDropPath(graph: GraphEditor, rate: number): RandomFactor[] {
  const sums: string[][] = [];
  while (graph.nodes.has(`blocks_${sums.length}/output`)) {
    sums.push(['mixed', 'output'].map((sum) => `blocks_${sums.length}/${sum}`));
  }
  return sums.flatMap((ofBlock, block) => {
    const probability = sums.length === 1 ? 0 : (rate * block) / (sums.length - 1);
    if (probability === 0) return [];
    return ofBlock.map((sum) => {
      const [, branch] = graph.node(sum).input as readonly string[];
      const input = graph.placeholder(`${sum}/drop_path`);
      graph.reroute(sum, 1, graph.add('Mul', `${sum}/kept`, [branch, input], FLOAT));
      return { input, probability, shape: (samples: number) => [samples, 1, 1, 1] };
    });
  });
}

/** Adds dropout to the features [N, C] before the classifier. */
export function addDropout(graph: GraphEditor, probability: number, features: number): RandomFactor[] {
  if (probability === 0) return [];
  const [pooled] = graph.node('logits').input as readonly string[];
  const input = graph.placeholder('logits/dropout');
  graph.reroute('logits', 0, graph.add('Mul', 'logits/kept', [pooled, input], FLOAT));
  return [{ input, probability, shape: (samples) => [samples, features] }];
}
