/** UperNet: every stage for an image with the reference's trees and with its own, and the classes of the pixels. */
import type { ConvertOptions } from '../../converters/convert.js';
import { classMapOf, type LogitWindow } from '../../plugin/image/class_map.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { DECISIVE_MARGIN, DISTINCT_TREES, denseLogitsBound, denseStageBound } from '../bounds.js';
import { type CaseTensor, float32, type ProgramCase, programCase, type SkippedCase } from '../case.js';
import type { Judgement } from '../judgement.js';
import { combine, fail, judge } from '../verdict.js';
import { type CaseFile, metadataOf } from './case_file.js';
import {
  compareEdgeWeights,
  compareMap,
  type DenseInput,
  denseInput,
  edgeWeightNodes,
  expectedMaps,
} from './dense_input.js';
import type { Feeds } from './graph_under_test.js';
import { blockTrees } from './model_inputs.js';
import { type CheckpointUnderTest, type ModelUnderTest, treeFeeds } from './model_under_test.js';
import { quantizedModelCase, withTrees } from './quantized_model.js';

const NODES = {
  features: 'features',
  ppm: 'ppm',
  psp_bottleneck: 'psp_bottleneck',
  lateral: 'lateral',
  fpn: 'fpn',
  fpn_bottleneck: 'fpn_bottleneck',
  decode_logits: 'logits',
};

/** The cases of one input. @throws {LayoutError} */
export function segmentationCases(
  file: CaseFile,
  tag: string,
  open: (options?: ConvertOptions) => CheckpointUnderTest,
): (ProgramCase | SkippedCase)[] {
  const input = denseInput(file, tag);
  const name = `${file.name} ${tag}`;
  const checkpoint = open();
  const stages = (feeds: Feeds, op: string): ProgramCase =>
    programCase(name, op, ({ tolerance }) =>
      checkpoint.use(async (model) => {
        model.checkTrees(input.trees.trees, input.normalized.shape);
        const maps = expectedMaps(file, tag, NODES);
        const nodes = [
          ...new Set([...maps.map(({ node }) => node), 'logits', 'segmentation']),
          ...edgeWeightNodes(input.trees),
        ];
        const results = await model.run(feeds, nodes);
        const result = (node: string) => results.get(node) as CaseTensor;
        const comparisons = maps.map((map) =>
          compareMap(
            map,
            result(map.node),
            map.node === 'logits' ? denseLogitsBound : denseStageBound,
            tolerance,
          ),
        );
        const weights = compareEdgeWeights(input.trees, result, tolerance);
        const whole = [{ top: 0, left: 0, size: input.normalized.shape, logits: result('logits') }];
        return combine([
          judge([...comparisons, ...weights]),
          ...(await judgeClasses(file, tag, input, whole)),
          ...judgeSegmentation(file, tag, result('segmentation')),
        ]);
      }),
    );
  const { normalized, trees, treeMargin } = input;
  const cases: (ProgramCase | SkippedCase)[] = [
    stages({ normalized, ...treeFeeds(trees.trees) }, 'UperNet, trees pinned'),
    quantizedModelCase({
      name,
      family: 'UperNet',
      use: withTrees(open({ quantize: 'int8' }), trees.trees, normalized),
      feeds: { normalized, ...treeFeeds(trees.trees) },
      outputs: [
        ['fpn_bottleneck', denseStageBound],
        ['logits', denseLogitsBound],
      ],
    }),
  ];
  if (treeMargin > DISTINCT_TREES) cases.push(stages({ normalized }, 'UperNet, own trees'));
  if (file.metadata.has(`slide.${tag}`)) cases.push(slideCase(file, tag, input, checkpoint));
  return cases;
}

/** The same image in sliding windows, each with its own pinned trees. */
function slideCase(
  file: CaseFile,
  tag: string,
  input: DenseInput,
  checkpoint: CheckpointUnderTest,
): ProgramCase {
  const { crop_size: crop = [1, 1], stride = [1, 1] } = metadataOf<{
    crop_size: readonly number[];
    stride: readonly number[];
  }>(file, `slide.${tag}`);
  return programCase(`${file.name} ${tag}.slide`, 'UperNet, trees pinned', () =>
    checkpoint.use(async (model) => {
      const [, height, width] = input.normalized.shape;
      const windows: LogitMaps[] = [];
      for (const top of starts(height, crop[0], stride[0])) {
        for (const left of starts(width, crop[1], stride[1])) {
          const normalized = cropped(input.normalized, top, left, crop);
          const { trees } = blockTrees(file, `trees.${tag}.slide.window${windows.length}.`);
          windows.push({
            top,
            left,
            size: normalized.shape,
            logits: await logitsOf(model, normalized, trees),
          });
        }
      }
      return combine(await judgeClasses(file, `${tag}.slide`, input, windows));
    }),
  );
}

async function logitsOf(
  model: ModelUnderTest,
  normalized: CaseTensor,
  trees: DenseInput['trees']['trees'],
): Promise<CaseTensor> {
  model.checkTrees(trees, normalized.shape);
  const results = await model.run({ normalized, ...treeFeeds(trees) }, ['logits']);
  return results.get('logits') as CaseTensor;
}

/** Start positions of windows: the last one ends at the edge. */
function starts(extent: number, crop: number, stride: number): number[] {
  const count = Math.floor(Math.max(extent - crop + stride - 1, 0) / stride) + 1;
  return Array.from({ length: count }, (_, i) => Math.max(Math.min(i * stride + crop, extent) - crop, 0));
}

function cropped(image: CaseTensor, top: number, left: number, crop: readonly number[]): CaseTensor {
  const [batch, height, width] = image.shape;
  const [rows, columns] = [Math.min(crop[0], height), Math.min(crop[1], width)];
  const part = float32([batch, rows, columns, 3], new Float32Array(batch * rows * columns * 3));
  for (let n = 0; n < batch; n++) {
    for (let y = 0; y < rows; y++) {
      const from = ((n * height + top + y) * width + left) * 3;
      part.values.set(image.values.subarray(from, from + columns * 3), (n * rows + y) * columns * 3);
    }
  }
  return part;
}

/** Logits [N, h, w, classes] of a window, and its size [N, H, W, 3]. */
interface LogitMaps {
  readonly top: number;
  readonly left: number;
  readonly size: readonly number[];
  readonly logits: CaseTensor;
}

/** Classes at the size of the original image: pixels must have the same class unless another one is close. */
async function judgeClasses(
  file: CaseFile,
  tag: string,
  { normalized, metadata }: DenseInput,
  windows: readonly LogitMaps[],
): Promise<Judgement[]> {
  const [batch, height, width] = normalized.shape;
  const [rows = height, columns = width] = metadata.ori_shape ?? [];
  const classes = windows[0].logits.shape[3];
  const [expected, margins] = [itemsOf(file.ints(`argmax.${tag}`)), itemsOf(file.floats(`margin.${tag}`))];
  const judgements: Judgement[] = [];
  for (let n = 0; n < batch; n++) {
    const parts = windows.map(({ top, left, size, logits }): LogitWindow => {
      const [, rows, columns] = logits.shape;
      const values = itemsOf(logits)[n] as Float32Array;
      return { top, left, height: size[1], width: size[2], rows, columns, logits: values };
    });
    const given = await classMapOf(parts, classes, { height, width }, { height: rows, width: columns });
    judgements.push(judgePixels(`classes of image ${n}`, given, expected[n], margins[n]));
  }
  return judgements;
}

/** The node `segmentation`, if the image was not resized. */
function judgeSegmentation(file: CaseFile, tag: string, given: CaseTensor): Judgement[] {
  const expected = file.ints(`argmax.${tag}`);
  if (expected.shape.join() !== given.shape.join()) return [];
  return [judgePixels('segmentation', given.values, expected.values, file.floats(`margin.${tag}`).values)];
}

function judgePixels(
  what: string,
  given: ArrayLike<number>,
  expected: ArrayLike<number>,
  margins: ArrayLike<number>,
): Judgement {
  if (given.length !== expected.length) {
    return fail(`${what} has ${given.length} pixels, expected ${expected.length}`);
  }
  let wrong = 0;
  let close = 0;
  for (let i = 0; i < expected.length; i++) {
    if (given[i] === expected[i]) continue;
    if (margins[i] > DECISIVE_MARGIN) wrong++;
    else close++;
  }
  if (wrong > 0) return fail(`${what}: ${wrong} of ${expected.length} pixels are of another class`);
  const reason = close > 0 ? `${what}: ${close} pixels are of another class that is as likely` : '';
  return { verdict: 'pass', reason };
}
