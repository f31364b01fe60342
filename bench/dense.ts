/**
 * UperNet and Mask R-CNN on GrootV-T with random weights: a prediction at the size that papers use for FLOP counts, its
 * convolutions compared with the core's matrix product rate, everything else, and memory. Each in a separate process.
 */
import { join } from 'node:path';
import type { NetworkGraph } from '../converters/architectures/architecture.js';
import { IMAGENET_DEVIATION, IMAGENET_MEAN } from '../converters/architectures/grootv/preprocessing.js';
import { maskRCNNShapes } from '../converters/architectures/grootv_mask_rcnn/architecture.js';
import { maskRCNNGraph } from '../converters/architectures/grootv_mask_rcnn/graph.js';
import { MASK_RCNN_DEFAULTS } from '../converters/architectures/grootv_mask_rcnn/settings.js';
import type { MaskRCNNSizes } from '../converters/architectures/grootv_mask_rcnn/sizes.js';
import { uperNetShapes } from '../converters/architectures/grootv_upernet/architecture.js';
import { type UperNetSizes, uperNetGraph } from '../converters/architectures/grootv_upernet/graph.js';
import { writeModel } from '../converters/graph/model_writer.js';
import { Parameters } from '../converters/parameters.js';
import { writeFolderAtomically } from '../node/atomic_directory.js';
import { inProcess, inTemporaryFolder } from './child_process.js';
import type { KernelShare } from './prediction.js';
import { randomState } from './random_weights.js';

/** The job of the process. */
export interface DenseJob {
  readonly model: string;
  readonly height: number;
  readonly width: number;
  readonly rounds: number;
}

export interface DenseTimes {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  /** Median time of a prediction, in milliseconds. */
  readonly ms: number;
  /** Multiply-adds of convolutions and matrix products, in 1e9. */
  readonly multiplyAdds: number;
  /** GFLOP/s of the convolutions larger than 1 x 1, in the round whose ratio to the next value is the median. */
  readonly convolutionRate: number;
  /** GFLOP/s of a large matrix product in our linear layer, before and after that prediction. */
  readonly productRate: number;
  /** Fraction of a prediction outside convolutions, matrix products and tree scans, from 0 to 1. */
  readonly otherShare: number;
  /** Slowest first. */
  readonly kernels: readonly KernelShare[];
  readonly weightBytes: number;
  /** The two largest outputs of kernels. */
  readonly activationBytes: number;
  /** Maximum resident set size of the process, minus that before the model was loaded (Node and tfjs). */
  readonly peakBytes: number;
}

/** A network to measure, and the size of its image. */
interface DenseNetwork {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly build: (parameters: Parameters) => NetworkGraph;
}

const TRUNK = {
  ...{ name: 'GrootV-T', channels: 80, depths: [2, 2, 9, 2], mlpRatio: 4, layerScale: false },
  outputNormalization: null,
};
const preprocessing = { mean: IMAGENET_MEAN, deviation: IMAGENET_DEVIATION };
const ROUNDS = 3;

export function uperNet(sizes: Partial<UperNetSizes>, side: number): DenseNetwork {
  const network: UperNetSizes = { ...TRUNK, classes: 150, headChannels: 512, pools: 4, ...sizes };
  return {
    ...{ name: `UperNet, ${network.name}`, height: side, width: side },
    shapes: uperNetShapes(network),
    build: (parameters) => uperNetGraph(network, parameters, { preprocessing, poolScales: [1, 2, 3, 6] }),
  };
}

export function maskRCNN(sizes: Partial<MaskRCNNSizes>, height: number, width: number): DenseNetwork {
  const network: MaskRCNNSizes = {
    ...{ ...TRUNK, classes: 80, anchors: 3, pyramidChannels: 256, boxChannels: 1024, boxLayers: 2 },
    ...{ boxSide: 7, maskChannels: 256, maskConvolutions: 4, classAgnosticBoxes: false },
    ...{ classAgnosticMasks: false, ...sizes },
  };
  return {
    ...{ name: `Mask R-CNN, ${network.name}`, height, width },
    shapes: maskRCNNShapes(network),
    // Every proposal is a candidate, so that the number of detections is the maximum.
    build: (parameters) =>
      maskRCNNGraph(network, parameters, { ...MASK_RCNN_DEFAULTS, scoreThreshold: 0, preprocessing }),
  };
}

/** Measures on the backend wasm. */
export async function benchDense(
  networks: readonly DenseNetwork[] = [uperNet({}, 512), maskRCNN({}, 800, 1280)],
  rounds = ROUNDS,
): Promise<DenseTimes[]> {
  const times: DenseTimes[] = [];
  for (const { name, height, width, shapes, build } of networks) {
    const figures = await inTemporaryFolder(async (folder) => {
      const model = join(folder, 'model');
      const { graph } = build(new Parameters(randomState(shapes)));
      await writeFolderAtomically(model, (sink) => writeModel(graph, sink));
      const job: DenseJob = { model, height, width, rounds };
      return inProcess<Omit<DenseTimes, 'name'>>('dense', job);
    });
    times.push({ ...figures, name });
  }
  return times;
}
