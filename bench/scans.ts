/**
 * The cost of scan variants: GrootV-T and a GG-SSM of the same sizes, whose stem of stride 1 gives the first level 50,176
 * vertices at 224 x 224, with one tree per block, one per stage, and without trees. Random weights; predictions alternate, so
 * that other load on the machine affects all equally.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { GrootVScan } from '../plugin/models/grootv_metadata.js';
import { boruvkaMSTSpec } from '../plugin/ops/boruvka_mst.spec.js';
import { edgeDissimilaritySpec } from '../plugin/ops/edge_dissimilarity.spec.js';
import { treeScanSpec } from '../plugin/ops/tree_scan.spec.js';
import { profilePrediction } from './prediction.js';
import { GROOTV_T, randomGrootV } from './random_model.js';
import type { GrootVSizes } from './random_weights.js';
import { median, timeOf } from './timing.js';

/** A network to measure, and how often. */
export interface ScannedNetwork {
  readonly name: string;
  readonly sizes: GrootVSizes;
  /** Side of the image, batch 1. */
  readonly side: number;
  readonly rounds: number;
}

export interface ScanTime {
  readonly network: string;
  readonly side: number;
  readonly scan: string;
  /** Median time of a prediction, in milliseconds. */
  readonly ms: number;
  /** Median over rounds of the time relative to that with one tree per block. */
  readonly ratio: number;
  /** In a profiled prediction: milliseconds for edge weights and spanning trees, and for scans along trees and paths. */
  readonly treeMs: number;
  readonly scanMs: number;
}

/** The others are compared with the first. */
const SCANS: readonly (readonly [string, GrootVScan])[] = [
  ['one tree per block', {}],
  ['one tree per stage', { trees: 'stage' }],
  ['raster', { scan: 'raster' }],
  ['cross', { scan: 'cross' }],
];

const NETWORKS: readonly ScannedNetwork[] = [
  { name: 'GrootV-T', sizes: GROOTV_T, side: 224, rounds: 15 },
  { name: 'GG-SSM', sizes: { ...GROOTV_T, stemStride: 1 }, side: 224, rounds: 3 },
];

const TREES: readonly string[] = [edgeDissimilaritySpec.op.name, boruvkaMSTSpec.op.name];

export async function benchScans(networks = NETWORKS): Promise<ScanTime[]> {
  const times: ScanTime[] = [];
  for (const network of networks) times.push(...(await benchNetwork(network)));
  return times;
}

async function benchNetwork({ name, sizes, side, rounds }: ScannedNetwork): Promise<ScanTime[]> {
  const image = tf.randomUniform<tf.Rank.R4>([1, side, side, 3], 0, 255, 'float32', 1);
  const models = [];
  for (const [, choice] of SCANS) models.push(await randomGrootV({ ...sizes, ...choice }));
  const predictions = models.map((model) => () => {
    const logits = model.execute({ image }) as tf.Tensor;
    logits.dataSync();
    logits.dispose();
  });
  for (const predict of predictions) predict(); // packs weights
  const timed = Array.from({ length: rounds }, () => predictions.map(timeOf));
  const times: ScanTime[] = [];
  for (const [i, [scan]] of SCANS.entries()) {
    const { kernels } = await profilePrediction(models[i], image);
    const sum = (names: readonly string[]) =>
      kernels.reduce((total, { kernel, ms }) => total + (names.includes(kernel) ? ms : 0), 0);
    times.push({
      ...{ network: name, side, scan },
      ms: median(timed.map((round) => round[i])),
      ratio: median(timed.map((round) => round[i] / round[0])),
      treeMs: sum(TREES),
      scanMs: sum([treeScanSpec.op.name]),
    });
  }
  for (const model of models) model.dispose();
  image.dispose();
  return times;
}
