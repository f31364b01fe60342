/**
 * A nano Mask R-CNN for digits as a checkpoint of mmdetection: its sizes, its first weights, and how trained ones are
 * saved. The backbone begins as the classifier of MNIST in fixtures/grootv, everything else at random as mmdetection has it.
 */
import { fileURLToPath } from 'node:url';
import { maskRCNNShapes } from '../../converters/architectures/grootv_mask_rcnn/architecture.js';
import { openCheckpoint } from '../../converters/pytorch/checkpoint.js';
import { stateDicts } from '../../converters/pytorch/state_dict.js';
import {
  MadeOrderedDict,
  MadeTuple,
  madeDict,
  madeTensor,
  torchZipBytes,
} from '../../converters/pytorch/testing/torch_writer.js';
import { fileSource } from '../../node/index.js';
import { toFloat16 } from '../../plugin/float16.js';
import { toTorch } from '../../plugin/torch_layout.js';
import { RandomNumbers, type Trainable } from '../../plugin/training/index.js';
import { DIGIT_NAMES } from './scenes.js';

const CLASSIFIER = fileURLToPath(new URL('../../fixtures/grootv/grootv_nano_mnist.pth', import.meta.url));

const SIZES = {
  name: 'GrootV',
  channels: 16,
  depths: [1, 1, 2, 1],
  mlpRatio: 4,
  layerScale: false,
  outputNormalization: null,
  classes: DIGIT_NAMES.length,
  pyramidChannels: 32,
  boxChannels: 128,
  maskChannels: 32,
  maskConvolutions: 2,
  classAgnosticBoxes: false,
  classAgnosticMasks: false,
  anchors: 3,
  boxLayers: 2,
  boxSide: 7,
};

/** Anchors half as large as mmdetection's, as scenes are small, and taller, as digits are. */
const CONFIG = `
model = dict(
    rpn_head=dict(anchor_generator=dict(scales=[4], ratios=[1.0, 2.0, 4.0], strides=[4, 8, 16, 32, 64])),
    test_cfg=dict(
        rpn=dict(nms_pre=200, max_per_img=100, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0),
        rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100, mask_thr_binary=0.5)))
test_pipeline = [
    dict(type='Resize', img_scale=(128, 128), keep_ratio=True),
    dict(type='Pad', size_divisor=32)]
`;

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** The weights before training. */
export async function firstWeights(seed: number): Promise<Map<string, Tensor>> {
  const source = await fileSource(CLASSIFIER);
  try {
    const [classifier] = stateDicts(await openCheckpoint(source), { key: 'model' });
    const weights = new Map<string, Tensor>();
    for (const [name, shape] of maskRCNNShapes(SIZES)) {
      const own = classifier.entries.get(name.replace(/^backbone\./, ''));
      const values = own
        ? await own.readFloat32()
        : firstValues(name, shape, RandomNumbers.stream(seed, name));
      weights.set(name, { shape, values });
    }
    return weights;
  } finally {
    await source.close();
  }
}

/** As mmdetection begins: FPN and linear layers by Glorot, masks by He, what is added to them close to 0. */
function firstValues(name: string, shape: readonly number[], random: RandomNumbers): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  if (name.endsWith('.bias')) return values;
  const area = (shape[2] ?? 1) * (shape[3] ?? 1);
  const normal = (deviation: number) => values.map(() => deviation * random.normal());
  if (/^neck\.|shared_fcs/.test(name)) {
    const bound = Math.sqrt(6 / ((shape[0] + shape[1]) * area));
    return values.map(() => bound * (2 * random.next() - 1));
  }
  if (/mask_head/.test(name)) return normal(Math.sqrt(2 / (shape[0] * area)));
  return normal(/fc_reg/.test(name) ? 0.001 : 0.01);
}

/** The weights as they are now, as PyTorch has them. */
export function weightsOf(trained: Trainable): Map<string, Tensor> {
  return new Map(
    [...trained.parameters].map(([name, { variable, ...layout }]) => [
      name,
      { shape: layout.shape, values: toTorch(variable.dataSync() as Float32Array, layout) },
    ]),
  );
}

/** A file as mmdetection saves it. @param dtype float16 takes half as much */
export function detectorCheckpoint(
  weights: ReadonlyMap<string, Tensor>,
  dtype: 'float32' | 'float16',
): Promise<Uint8Array> {
  const state = [...weights].map(([name, { shape, values }]) => {
    const stored = dtype === 'float32' ? values : Uint16Array.from(values, toFloat16);
    return [name, madeTensor(dtype, shape, stored)] as const;
  });
  const meta = madeDict({ CLASSES: new MadeTuple(...DIGIT_NAMES), config: CONFIG });
  return torchZipBytes(madeDict({ meta, state_dict: new MadeOrderedDict(new Map(state)) }));
}
