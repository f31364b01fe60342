/** Checkpoints that training starts from: a backbone that was trained on MNIST, and layers as PyTorch initialises them. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs';
import { bytesSource, convertCheckpoint, MemorySink } from '../../converters/index.js';
import { exportCheckpoint, type RandomNumbers, type SafetensorsTensor } from '../../plugin/training/index.js';

const NANO = fileURLToPath(new URL('../../fixtures/grootv/grootv_nano_mnist.pth', import.meta.url));

/** Channels of the levels of the backbone. */
export const LEVEL_CHANNELS = [16, 32, 64, 128] as const;

/** The weights of the classifier of digits without its head, as `backbone.*`. */
export async function trainedBackbone(): Promise<SafetensorsTensor[]> {
  const sink = new MemorySink();
  await convertCheckpoint(bytesSource(await readFile(NANO)), sink, { batchNorm: 'keep' });
  const model = await tf.loadGraphModel(tf.io.fromMemory(sink.artifacts() as tf.io.ModelArtifacts));
  try {
    return tensorsOf(await exportCheckpoint(model))
      .filter(({ name }) => !/^(conv_head|head)\./.test(name))
      .map((tensor) => ({ ...tensor, name: `backbone.${tensor.name}` }));
  } finally {
    model.dispose();
  }
}

/** Normal weights by K. He et al. (2015), of the values that leave a layer, as mmcv initialises convolutions. */
function convolutionWeights(
  name: string,
  shape: readonly [outputs: number, inputs: number, height: number, width: number],
  random: RandomNumbers,
): SafetensorsTensor {
  const deviation = Math.sqrt(2 / (shape[0] * shape[2] * shape[3]));
  return normalWeights(name, shape, deviation, random);
}

export function normalWeights(
  name: string,
  shape: readonly number[],
  deviation: number,
  random: RandomNumbers,
): SafetensorsTensor {
  const size = shape.reduce((product, side) => product * side, 1);
  return f32(
    name,
    shape,
    Float32Array.from({ length: size }, () => deviation * random.normal()),
  );
}

function constantWeights(name: string, shape: readonly number[], value: number): SafetensorsTensor {
  const size = shape.reduce((product, side) => product * side, 1);
  return f32(name, shape, new Float32Array(size).fill(value));
}

/** The bias of a classifier that knows how frequent classes are, and nothing else. */
export function biasOfShares(name: string, shares: readonly number[]): SafetensorsTensor {
  return f32(name, [shares.length], Float32Array.from(shares, Math.log));
}

/** mmcv's ConvModule: a convolution without bias, `conv`, and a BatchNorm that changes nothing, `bn`. */
export function convModule(
  name: string,
  [outputs, inputs, kernel]: readonly [outputs: number, inputs: number, kernel: number],
  random: RandomNumbers,
): SafetensorsTensor[] {
  return [
    convolutionWeights(`${name}.conv.weight`, [outputs, inputs, kernel, kernel], random),
    constantWeights(`${name}.bn.weight`, [outputs], 1),
    constantWeights(`${name}.bn.bias`, [outputs], 0),
    constantWeights(`${name}.bn.running_mean`, [outputs], 0),
    constantWeights(`${name}.bn.running_var`, [outputs], 1),
  ];
}

function f32(name: string, shape: readonly number[], data: Float32Array): SafetensorsTensor {
  return { name, dtype: 'F32', shape, data };
}

/** The tensors of a file that `exportCheckpoint` wrote, all float32. */
function tensorsOf(file: Uint8Array): SafetensorsTensor[] {
  const bytes = file.slice();
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header: Record<string, { shape: number[]; data_offsets: [number, number] }> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + length)),
  );
  return Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(
      ([
        name,
        {
          shape,
          data_offsets: [from, to],
        },
      ]) => f32(name, shape, new Float32Array(bytes.buffer.slice(8 + length + from, 8 + length + to))),
    );
}
