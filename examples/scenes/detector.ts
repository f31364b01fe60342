/**
 * A nano Mask R-CNN for digits before its training, as a file in the layout of mmdetection. The backbone begins as the
 * classifier of MNIST in fixtures/grootv, everything else at random as mmdetection has it.
 */
import { encodeSafetensors, RandomNumbers, type SafetensorsTensor } from '../../plugin/training/index.js';
import { LEVEL_CHANNELS, trainedBackbone } from './initial_checkpoint.js';
import { DIGIT_NAMES } from './scenes.js';

/** Channels of the pyramid, and of the linear layers. */
const [PYRAMID, LINEAR] = [32, 128];
const CLASSES = DIGIT_NAMES.length;
/** Of a position. */
const ANCHORS = 3;
/** Rows and columns of the features of a region. */
const CELLS = 7 * 7;

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

/** Shapes of the weights behind the backbone; each layer has biases too, as many as its first size. */
const LAYERS: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(
    LEVEL_CHANNELS.map((width, i) => [`neck.lateral_convs.${i}.conv`, [PYRAMID, width, 1, 1]]),
  ),
  ...Object.fromEntries(LEVEL_CHANNELS.map((_, i) => [`neck.fpn_convs.${i}.conv`, [PYRAMID, PYRAMID, 3, 3]])),
  'rpn_head.rpn_conv': [PYRAMID, PYRAMID, 3, 3],
  'rpn_head.rpn_cls': [ANCHORS, PYRAMID, 1, 1],
  'rpn_head.rpn_reg': [4 * ANCHORS, PYRAMID, 1, 1],
  'roi_head.bbox_head.shared_fcs.0': [LINEAR, PYRAMID * CELLS],
  'roi_head.bbox_head.shared_fcs.1': [LINEAR, LINEAR],
  'roi_head.bbox_head.fc_cls': [CLASSES + 1, LINEAR],
  'roi_head.bbox_head.fc_reg': [4 * CLASSES, LINEAR],
  'roi_head.mask_head.convs.0.conv': [PYRAMID, PYRAMID, 3, 3],
  'roi_head.mask_head.convs.1.conv': [PYRAMID, PYRAMID, 3, 3],
  'roi_head.mask_head.upsample': [PYRAMID, PYRAMID, 2, 2],
  'roi_head.mask_head.conv_logits': [CLASSES, PYRAMID, 1, 1],
};

/** A `.safetensors` file. */
export async function initialDetector(seed: number): Promise<Uint8Array> {
  const heads = Object.entries(LAYERS).flatMap(([name, shape]): SafetensorsTensor[] => [
    { name: `${name}.weight`, dtype: 'F32', shape, data: firstValues(`${name}.weight`, shape, seed) },
    { name: `${name}.bias`, dtype: 'F32', shape: [shape[0]], data: new Float32Array(shape[0]) },
  ]);
  const metadata = { format: 'pt', config: CONFIG, class_names: JSON.stringify(DIGIT_NAMES) };
  return encodeSafetensors([...(await trainedBackbone()), ...heads], metadata);
}

/** FPN and linear layers by Glorot, masks by He, what is added to them close to 0. */
function firstValues(name: string, shape: readonly number[], seed: number): Float32Array {
  const random = RandomNumbers.stream(seed, name);
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const area = (shape[2] ?? 1) * (shape[3] ?? 1);
  const normal = (deviation: number) => values.map(() => deviation * random.normal());
  if (/^neck\.|shared_fcs/.test(name)) {
    const bound = Math.sqrt(6 / ((shape[0] + shape[1]) * area));
    return values.map(() => bound * (2 * random.next() - 1));
  }
  if (/mask_head/.test(name)) return normal(Math.sqrt(2 / (shape[0] * area)));
  return normal(/fc_reg/.test(name) ? 0.001 : 0.01);
}
