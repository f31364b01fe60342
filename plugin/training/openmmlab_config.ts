/**
 * Writes configurations of mmsegmentation and mmdetection, which are stored with the weights in their checkpoints. Only the
 * parts that a converter reads: preprocessing, windows, thresholds, anchors.
 */
import type { DensePreprocessing } from '../models/dense_metadata.js';
import type { DetectorMetadata } from '../models/detector_metadata.js';
import type { SegmenterMetadata } from '../models/segmenter_metadata.js';
import type { UisMambaWeakening } from '../models/uis_mamba_metadata.js';
import type { BoxSettings } from './detection/detector_nodes.js';

type Literal = null | boolean | number | string | readonly Literal[] | { readonly [name: string]: Literal };

export function segmenterConfig({ architecture, preprocessing, inference }: SegmenterMetadata): string {
  const { mode, cropSize, stride } = inference;
  return text({
    model: {
      decode_head: { pool_scales: architecture.poolScales, align_corners: false },
      test_cfg: { mode, crop_size: cropSize, stride },
    },
    test_pipeline: pipeline(preprocessing),
  });
}

/** @param boxes box settings of the graph, which the metadata do not contain */
export function detectorConfig(
  { architecture, preprocessing, testing }: DetectorMetadata,
  boxes: BoxSettings,
): string {
  const { proposals } = testing;
  const { anchorScale, anchorRatios, proposalDeviations, boxDeviations, samplingRatio } = boxes;
  return text({
    model: {
      ...(architecture.backbone && { backbone: weakeningArguments(architecture as UisMambaWeakening) }),
      rpn_head: {
        anchor_generator: { scales: [anchorScale], ratios: anchorRatios },
        bbox_coder: { target_stds: proposalDeviations },
      },
      roi_head: {
        bbox_roi_extractor: { roi_layer: { sampling_ratio: samplingRatio } },
        bbox_head: { bbox_coder: { target_stds: boxDeviations } },
      },
      test_cfg: {
        rpn: {
          nms_pre: proposals.perLevel,
          max_per_img: proposals.maxOutput,
          nms: { type: 'nms', iou_threshold: proposals.iouThreshold },
          min_bbox_size: proposals.minSize,
        },
        rcnn: {
          score_thr: testing.scoreThreshold,
          nms: { type: 'nms', iou_threshold: testing.iouThreshold },
          max_per_img: testing.maxDetections,
          mask_thr_binary: testing.maskThreshold,
        },
      },
    },
    test_pipeline: pipeline(preprocessing),
  });
}

/** Uses the names of the authors' arguments. */
export function weakeningArguments({ useHsw, hswVarphi, poolSize }: UisMambaWeakening) {
  return { use_hsw: useHsw, hsw_varphi: hswVarphi, pool_size: poolSize };
}

function pipeline({ scale, multipleOf, padTo, mean, deviation }: DensePreprocessing): Literal {
  return [
    { type: 'Resize', img_scale: scale, keep_ratio: true },
    ...(multipleOf === null ? [] : [{ type: 'ResizeToMultiple', size_divisor: multipleOf }]),
    { type: 'Normalize', mean: mean.map(ofBytes), std: deviation.map(ofBytes), to_rgb: true },
    { type: 'Pad', size_divisor: padTo },
  ];
}

/** Converts a value from 0..1 to 0..255, without the digits that the division by 255 left. */
function ofBytes(value: number): number {
  return Number((value * 255).toPrecision(12));
}

/** Formats Python assignments. */
function text(values: { readonly [name: string]: Literal }): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} = ${python(value)}\n`)
    .join('');
}

function python(value: Literal): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
  const members = Object.entries(value).map(([name, member]) => `${name}=${python(member)}`);
  return `dict(${members.join(', ')})`;
}
