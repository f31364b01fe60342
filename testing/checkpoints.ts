/** GrootV checkpoints of any size with random weights, as written by torch.save. */
import { type GrootVSizes, grootVShapes, randomValues, uniform } from '../bench/random_weights.js';
import { maskRCNNShapes } from '../converters/architectures/grootv_mask_rcnn/architecture.js';
import type { MaskRCNNSizes } from '../converters/architectures/grootv_mask_rcnn/sizes.js';
import { uperNetShapes } from '../converters/architectures/grootv_upernet/architecture.js';
import type { UperNetSizes } from '../converters/architectures/grootv_upernet/graph.js';
import { convertCheckpoint, MemorySink } from '../converters/index.js';
import type { DType } from '../converters/pytorch/dtype.js';
import {
  MadeOrderedDict,
  MadeTensor,
  madeTensor,
  torchZipBytes,
} from '../converters/pytorch/testing/torch_writer.js';

export { type GrootVSizes, grootVShapes, randomValues, uniform };

/** Random tensors by name, scaled to keep activations close to 1. */
export function randomState(
  shapes: ReadonlyMap<string, readonly number[]>,
  seed = 1,
): Map<string, MadeTensor> {
  const random = uniform(seed);
  return new Map([...shapes].map(([name, shape]) => [name, randomTensor(name, shape, random)]));
}

/** A GrootV with random weights, converted in memory. */
export async function randomClassifier(sizes: GrootVSizes): Promise<MemorySink> {
  const sink = new MemorySink();
  await convertCheckpoint(await torchZipBytes(new MadeOrderedDict(randomState(grootVShapes(sizes)))), sink);
  return sink;
}

const DENSE = {
  name: 'GrootV',
  channels: 4,
  depths: [1, 1],
  mlpRatio: 2,
  layerScale: false,
  outputNormalization: null,
  classes: 3,
};

/** Names and shapes of a UperNet, small by default. */
export function smallUperNet(sizes: Partial<UperNetSizes> = {}): Map<string, readonly number[]> {
  return new Map(uperNetShapes({ ...DENSE, headChannels: 5, pools: 4, ...sizes }));
}

/** Names and shapes of a Mask R-CNN, small by default. */
export function smallMaskRCNN(sizes: Partial<MaskRCNNSizes> = {}): Map<string, readonly number[]> {
  return new Map(
    maskRCNNShapes({
      ...DENSE,
      pyramidChannels: 6,
      boxChannels: 7,
      maskChannels: 5,
      maskConvolutions: 2,
      classAgnosticBoxes: false,
      classAgnosticMasks: false,
      anchors: 3,
      boxLayers: 2,
      boxSide: 7,
      ...sizes,
    }),
  );
}

function randomTensor(name: string, shape: readonly number[], random: () => number): MadeTensor {
  if (name.endsWith('num_batches_tracked')) return madeTensor('int64', [], new BigInt64Array([7n]));
  return madeTensor('float32', shape, randomValues(name, shape, random));
}

/** A tensor stored transposed (a strided view of contiguous data), or as a window of a larger storage. */
export function storedAs(tensor: MadeTensor, how: 'transposed' | 'window'): MadeTensor {
  const { storage, shape } = tensor;
  const values = new Float32Array((storage.bytes as Uint8Array).slice().buffer);
  if (how === 'window') {
    const padded = new Float32Array(values.length + 9).fill(Number.NaN);
    padded.set(values, 5);
    const bytes = new Uint8Array(padded.buffer);
    return new MadeTensor({ dtype: 'float32' as DType, elements: padded.length, bytes }, shape, undefined, 5);
  }
  const moved = new Float32Array(values.length);
  // Column-major storage: strides increase from the first axis on.
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < values.length; i++) {
    moved[index.reduce((at, position, axis) => at + position * strides[axis], 0)] = values[i];
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis] === shape[axis]; axis--) index[axis] = 0;
  }
  const bytes = new Uint8Array(moved.buffer);
  return new MadeTensor({ dtype: 'float32' as DType, elements: moved.length, bytes }, shape, strides);
}

/** A state dict with other names. */
export function renamed<Value>(
  state: ReadonlyMap<string, Value>,
  name: (name: string) => string,
): Map<string, Value> {
  return new Map([...state].map(([key, value]) => [name(key), value]));
}
