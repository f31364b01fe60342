/**
 * What training changes in a graph: batch normalisation takes the statistics of the batch, and branches of blocks and
 * features before the classifier are left out at random.
 */
import { FLOAT, type GraphEditor, nodeName } from '../models/graph_editor.js';

/** The statistics of a batch that a BatchNorm took, as nodes, and the running ones that follow them. */
export interface BatchStatistics {
  /** What was normalised, [..., C]. */
  readonly x: string;
  /** Mean and biased variance, [C]. */
  readonly mean: string;
  readonly variance: string;
  /** Names of the weights. */
  readonly runningMean: string;
  readonly runningVariance: string;
}

/** A factor that is 0 with a probability, and otherwise as large as keeps the mean. */
export interface RandomFactor {
  /** Its placeholder. */
  readonly input: string;
  readonly probability: number;
  /** Of what it multiplies: one factor a sample, or one a feature of a sample. */
  readonly shape: (samples: number) => number[];
}

const BATCH_NORM = /^FusedBatchNorm(V\d)?$/;

/** Weights that a BatchNorm reads as running statistics. */
export function runningStatistics({ nodes }: GraphEditor): Set<string> {
  return new Set(
    [...nodes.values()]
      .filter(({ op }) => BATCH_NORM.test(op))
      .flatMap(({ input = [] }) => input.slice(3, 5).map(nodeName)),
  );
}

/**
 * Lets every BatchNorm take the statistics of its batch. A gradient flows through them.
 * @param isFrozen of a BatchNorm's parameter `weight`: then it keeps the running statistics
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
 * Pooling of single pixels, which leaves out rows and columns, takes their mean in place of their maximum: the same
 * values. On tfjs's wasm backend the gradient of MaxPool is wrong where a whole window is negative.
 */
export function averageSinglePixels(graph: GraphEditor): void {
  for (const { name, op, input = [], attr = {} } of [...graph.nodes.values()]) {
    const { ksize } = attr as { ksize?: { list?: { i?: readonly (number | string)[] } } };
    const isSingle = ksize?.list?.i?.every((side) => Number(side) === 1);
    if (op === 'MaxPool' && isSingle) graph.replace(name, 'AvgPool', input, attr);
  }
}

/**
 * Drop path (G. Huang et al., "Deep Networks with Stochastic Depth", 2016): both branches of a block are left out at
 * random, for each sample by itself.
 * @param rate of the last block; those before it have rates that fall evenly to 0 at the first
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

/** Dropout of the features [N, C] that the classifier takes. */
export function addDropout(graph: GraphEditor, probability: number, features: number): RandomFactor[] {
  if (probability === 0) return [];
  const [pooled] = graph.node('logits').input as readonly string[];
  const input = graph.placeholder('logits/dropout');
  graph.reroute('logits', 0, graph.add('Mul', 'logits/kept', [pooled, input], FLOAT));
  return [{ input, probability, shape: (samples) => [samples, features] }];
}
