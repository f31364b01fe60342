/** Mask R-CNN: every stage for an image with the reference's trees and with its own, up to the masks of detections. */
import type { ConvertOptions } from '../../converters/convert.js';
import type { ToleranceClass } from '../../plugin/backends.js';
import { pasteMask } from '../../plugin/ops/paste_masks.js';
import {
  DISTINCT_TREES,
  denseLogitsBound,
  denseStageBound,
  detectionBounds,
  detectionTie,
  MASK_PIXELS,
} from '../bounds.js';
import { type CaseTensor, float32, int32, type ProgramCase, programCase, type SkippedCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { type Comparison, combine, fail, judge } from '../verdict.js';
import { type CaseFile, channelsLast, LayoutError, metadataOf } from './case_file.js';
import {
  compareEdgeWeights,
  compareMap,
  type DenseInput,
  denseInput,
  edgeWeightNodes,
  expectedMaps,
} from './dense_input.js';
import type { Feeds } from './graph_under_test.js';
import { firstItems } from './model_inputs.js';
import { type CheckpointUnderTest, treeFeeds } from './model_under_test.js';
import { quantizedModelCase, withTrees } from './quantized_model.js';

const NODES = {
  features: 'features',
  fpn: 'fpn',
  rpn_objectness: 'rpn_objectness',
  rpn_deltas: 'rpn_deltas',
};

/** `test_cfg` of mmdetection. */
export interface TestConfig {
  readonly rpn: { nms_pre: number; max_per_img: number; nms: number; min_bbox_size: number };
  readonly rcnn: { score_thr: number; nms: number; max_per_img: number; mask_thr_binary: number };
}

type Open = (options?: ConvertOptions) => CheckpointUnderTest;

/** The cases of one input; a tag that ends with `.small` uses another tag's image with other settings. @throws {LayoutError} */
export function detectionCases(file: CaseFile, tag: string, open: Open): (ProgramCase | SkippedCase)[] {
  const isSmall = tag.endsWith('.small');
  const of = isSmall ? tag.slice(0, -'.small'.length) : tag;
  const input = denseInput(file, of);
  const config = { ...metadataOf<TestConfig>(file, isSmall ? `test_cfg.${tag}` : 'test_cfg') };
  const options = config.rpn && config.rcnn ? { dense: settingsOf(config as TestConfig) } : undefined;
  const checkpoint = open(options);
  const { normalized, trees, treeMargin, metadata } = input;
  const [height, width] = metadata.img_shape ?? normalized.shape.slice(1);
  const image = {
    normalized,
    image_shape: int32([2], [height, width]),
    scale_factor: float32([4], metadata.scale_factor ?? [1, 1, 1, 1]),
  };
  const pinned = { ...image, ...treeFeeds(trees.trees) };
  const common = { file, tag, input, checkpoint, maskThreshold: config.rcnn?.mask_thr_binary ?? 0.5 };
  const cases = [stagesCase(common, pinned, 'Mask R-CNN, trees pinned')];
  if (treeMargin > DISTINCT_TREES) cases.push(stagesCase(common, image, 'Mask R-CNN, own trees'));
  if (file.has(`roi_feats_first16.${tag}`)) {
    const int8 = open({ ...options, quantize: 'int8' });
    cases.push(headsCase(common, pinned), quantizedDetectorCase({ ...common, checkpoint: int8 }, pinned));
  }
  return cases;
}

/** The settings in a fixture's `test_cfg`, as conversion options. */
export function settingsOf({ rpn, rcnn }: TestConfig): ConvertOptions['dense'] {
  return {
    scoreThreshold: rcnn.score_thr,
    iouThreshold: rcnn.nms,
    maxDetections: rcnn.max_per_img,
    maskThreshold: rcnn.mask_thr_binary,
    proposals: {
      perLevel: rpn.nms_pre,
      maxOutput: rpn.max_per_img,
      iouThreshold: rpn.nms,
      minSize: rpn.min_bbox_size,
    },
  };
}

interface Common {
  readonly file: CaseFile;
  readonly tag: string;
  readonly input: DenseInput;
  readonly checkpoint: CheckpointUnderTest;
  readonly maskThreshold: number;
}

/** Maps, proposals as a set, and detections in order. */
function stagesCase(
  { file, tag, input, checkpoint, maskThreshold }: Common,
  feeds: Feeds,
  op: string,
): ProgramCase {
  return programCase(`${file.name} ${tag}`, op, ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const { trees, normalized, metadata } = input;
      model.checkTrees(trees.trees, normalized.shape);
      const maps = expectedMaps(file, tag, NODES);
      const nodes = [
        ...maps.map(({ node }) => node),
        ...edgeWeightNodes(trees),
        ...['proposals', 'boxes', 'scores', 'classes', 'masks'],
      ];
      const results = await model.run(feeds, nodes);
      const result = (node: string) => results.get(node) as CaseTensor;
      const comparisons = maps.map((map) => compareMap(map, result(map.node), denseStageBound, tolerance));
      const [height = normalized.shape[1], width = normalized.shape[2]] = metadata.ori_shape ?? [];
      const detections = judgeDetections(file, tag, result, tolerance);
      return combine([
        judge([...comparisons, ...compareEdgeWeights(trees, result, tolerance)]),
        judgeProposals(result('proposals'), file.floats(`proposals.${tag}`, 2), tolerance),
        detections.judgement,
        judgeMasks(file, tag, result, detections.rows, { height, width }, maskThreshold),
      ]);
    }),
  );
}

/** Both heads on the reference's proposals and detections, whose order a near tie may change. */
function headsCase({ file, tag, checkpoint }: Common, feeds: Feeds): ProgramCase {
  return programCase(`${file.name} ${tag}, heads`, 'Mask R-CNN, trees pinned', ({ tolerance }) =>
    checkpoint.use(async (model) => {
      const { boxes } = detectionsOf(file, tag);
      const given = {
        ...feeds,
        proposals: file.floats(`proposals.${tag}`, 2),
        boxes,
        classes: file.ints(`labels.${tag}`, 1),
      };
      const stages: [node: string, kind: string, bound: typeof denseStageBound][] = [
        ['box_features', 'roi_feats', denseStageBound],
        ['box_hidden_1', 'shared_fc2', denseStageBound],
        ['class_scores', 'cls_score', denseLogitsBound],
        ['box_deltas', 'bbox_pred', denseLogitsBound],
        ['mask_rois', 'mask_rois', denseLogitsBound],
        ['mask_features', 'mask_roi_feats', denseStageBound],
        ['mask_logits', 'mask_logits', denseLogitsBound],
        ['mask_logits_of_classes', 'mask_logits_all', denseLogitsBound],
      ];
      const found = stages.flatMap(([node, kind, bound]) => {
        const pattern = new RegExp(`^${kind}(?:_first\\d+)?$`);
        const name = file.names.find((name) => {
          const dot = name.indexOf('.');
          return name.slice(dot + 1) === tag && pattern.test(name.slice(0, dot));
        });
        return name === undefined ? [] : [{ node, bound, expected: file.floats(name) }];
      });
      const results = await model.run(
        given,
        found.map(({ node }) => node),
      );
      return judge(
        found.map(({ node, bound, expected }) => {
          const value = expected.shape.length === 4 ? channelsLast(expected) : expected;
          const part = firstItems(results.get(node) as CaseTensor, value.shape[0]);
          return compareMap({ node, value }, part, bound, tolerance);
        }),
      );
    }),
  );
}

/** Number of proposals and detections, enough to test a head. */
const FEW = 8;

/** With 8-bit weights: maps, and both heads on some of the file's proposals and detections. */
function quantizedDetectorCase({ file, tag, input, checkpoint }: Common, feeds: Feeds): ProgramCase {
  const few = {
    proposals: file.floats(`proposals.${tag}`, 2),
    boxes: detectionsOf(file, tag).boxes,
    classes: file.ints(`labels.${tag}`, 1),
  };
  return quantizedModelCase({
    name: `${file.name} ${tag}`,
    family: 'Mask R-CNN',
    use: withTrees(checkpoint, input.trees.trees, input.normalized),
    feeds: {
      ...feeds,
      ...Object.fromEntries(Object.entries(few).map(([node, value]) => [node, firstItems(value, FEW)])),
    },
    outputs: [
      ...[0, 1, 2, 3, 4].flatMap((level) => [
        [`fpn_${level}`, denseStageBound] as const,
        [`rpn_objectness_${level}`, denseStageBound] as const,
        [`rpn_deltas_${level}`, denseStageBound] as const,
      ]),
      ['class_scores', denseLogitsBound],
      ['box_deltas', denseLogitsBound],
      ['mask_logits', denseLogitsBound],
    ],
  });
}

/** `dets.<tag>` [n, 5]. */
function detectionsOf(file: CaseFile, tag: string): { boxes: CaseTensor; scores: CaseTensor } {
  const { shape, values } = file.floats(`dets.${tag}`, 2);
  if (shape[1] !== 5) throw new LayoutError(`${file.path}: dets.${tag} has ${shape[1]} columns, expected 5`);
  const rows = shape[0];
  const boxes = Float32Array.from({ length: 4 * rows }, (_, i) => values[Math.floor(i / 4) * 5 + (i % 4)]);
  const scores = Float32Array.from({ length: rows }, (_, i) => values[5 * i + 4]);
  return { boxes: float32([rows, 4], boxes), scores: float32([rows], scores) };
}

/** The expected row for each detection, and the judgement of their order. */
interface Order {
  readonly rows: readonly number[];
  readonly judgement: Judgement;
}

/** Classes [n] and boxes [n, 4]. */
interface Found {
  readonly classes: ArrayLike<number>;
  readonly boxes: ArrayLike<number>;
}

/**
 * The expected row for each detection: its own, or that of another detection of the same class and position whose score is closer
 * than `tie`.
 * @param bounds `box` is the bound of a coordinate
 */
export function rowsOfDetections(
  given: Found,
  expected: Found & { readonly scores: ArrayLike<number> },
  bounds: { readonly tie: number; readonly box: number },
): number[] {
  const { scores } = expected;
  const unused = new Set(Array.from({ length: scores.length }, (_, i) => i));
  const fits = (i: number, row: number) =>
    given.classes[i] === expected.classes[row] &&
    [0, 1, 2, 3].every((k) => Math.abs(given.boxes[4 * i + k] - expected.boxes[4 * row + k]) <= bounds.box);
  return Array.from({ length: Math.min(given.classes.length, scores.length) }, (_, i) => {
    const near = [...unused].filter((row) => row === i || Math.abs(scores[row] - scores[i]) < bounds.tie);
    const row = near.sort((a, b) => Math.abs(a - i) - Math.abs(b - i)).find((row) => fits(i, row)) ?? i;
    unused.delete(row);
    return row;
  });
}

/** Checks the order, except for detections whose scores are too close for the backend to distinguish. */
function orderOf(
  expected: ReturnType<typeof detectionsOf> & { readonly classes: CaseTensor },
  result: (node: string) => CaseTensor,
  tolerance: ToleranceClass,
): Order {
  const tie = detectionTie(tolerance);
  const rows = rowsOfDetections(
    { classes: result('classes').values, boxes: result('boxes').values },
    { classes: expected.classes.values, boxes: expected.boxes.values, scores: expected.scores.values },
    { tie, box: detectionBounds(tolerance).boxes.absolute },
  );
  const moved = rows.filter((row, i) => row !== i).length;
  const reason = `${moved} detections are in another order, their scores within ${tie} of one another`;
  return { rows, judgement: moved > 0 ? { verdict: 'tie-flip', reason } : { verdict: 'pass', reason: '' } };
}

function judgeDetections(
  file: CaseFile,
  tag: string,
  result: (node: string) => CaseTensor,
  tolerance: ToleranceClass,
): Order {
  const found = { ...detectionsOf(file, tag), classes: file.ints(`labels.${tag}`, 1) };
  const { rows, judgement } = orderOf(found, result, tolerance);
  const bounds = detectionBounds(tolerance);
  const comparisons = (['classes', 'boxes', 'scores'] as const).map((node): Comparison => {
    const { shape, values } = found[node];
    const size = values.length / shape[0];
    const ordered = rows.flatMap((row) => [...values.subarray(row * size, (row + 1) * size)]);
    return {
      tensor: node,
      given: result(node).values,
      shape: result(node).shape,
      expected: rows.length === shape[0] ? ordered : values,
      expectedShape: shape,
      bound: bounds[node],
    };
  });
  return { rows, judgement: combine([judge(comparisons), judgement]) };
}

/** Every expected proposal must be present, in any order: scores may be closer than rounding. */
function judgeProposals(given: CaseTensor, expected: CaseTensor, tolerance: ToleranceClass): Judgement {
  if (given.shape.join() !== expected.shape.join()) {
    return fail(`proposals has shape [${given.shape}], expected [${expected.shape}]`);
  }
  const { boxes, scores } = detectionBounds(tolerance);
  const [rows] = expected.shape;
  const unused = new Set(Array.from({ length: rows }, (_, i) => i));
  const isClose = (i: number, j: number) =>
    [0, 1, 2, 3, 4].every((k) => {
      const difference = Math.abs(given.values[5 * i + k] - expected.values[5 * j + k]);
      return difference <= (k === 4 ? scores : boxes).absolute;
    });
  for (let j = 0; j < rows; j++) {
    const match = isClose(j, j) && unused.has(j) ? j : [...unused].find((i) => isClose(i, j));
    if (match === undefined) return fail(`proposals: no row is close to row ${j} of the reference's`);
    unused.delete(match);
  }
  return { verdict: 'pass', reason: '' };
}

/** Masks at the size of the original image: `masks_packed.<tag>` has one bit per pixel, rows padded to whole bytes at the end. */
function judgeMasks(
  file: CaseFile,
  tag: string,
  result: (node: string) => CaseTensor,
  order: readonly number[],
  image: { readonly height: number; readonly width: number },
  threshold: number,
): Judgement {
  const name = `masks_packed.${tag}`;
  const { shape, values: packed } = file.ints(name, 2);
  const { height, width } = image;
  const masks = result('masks');
  const [count, rows, columns] = masks.shape;
  if (shape[0] !== count || shape[1] !== Math.ceil((height * width) / 8)) {
    return fail(`masks: ${count} of ${width} x ${height} pixels, expected ${name} [${shape}]`);
  }
  let wrong = 0;
  let set = 0;
  for (let n = 0; n < count; n++) {
    const own = new Uint8Array(shape[1] * 8);
    const mask = (masks.values as Float32Array).subarray(n * rows * columns, (n + 1) * rows * columns);
    const box = result('boxes').values.subarray(4 * n, 4 * n + 4);
    const pasted = pasteMask(mask, [rows, columns], box, image);
    for (let y = 0; y < pasted.height; y++) {
      for (let x = 0; x < pasted.width; x++) {
        if (pasted.values[y * pasted.width + x] >= threshold)
          own[(pasted.top + y) * width + pasted.left + x] = 1;
      }
    }
    for (let i = 0; i < height * width; i++) {
      const bit = (packed[(order[n] ?? n) * shape[1] + (i >> 3)] >> (7 - (i & 7))) & 1;
      set += bit;
      if (bit !== own[i]) wrong++;
    }
  }
  if (wrong > MASK_PIXELS * set) return fail(`masks: ${wrong} pixels differ, ${set} are expected to be set`);
  return { verdict: 'pass', reason: '' };
}
