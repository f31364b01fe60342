/**
 * `ops_*` files for dense prediction: RoI alignment, resizing, pooling, boxes, suppression and mask pasting as computed by
 * PyTorch's libraries. Their metadata list the cases with their attributes; maps are channels-first.
 */
import {
  anchorGridSpec,
  decodeBoxesSpec,
  encodeBoxesSpec,
  roiLevelsSpec,
} from '../../plugin/ops/boxes.spec.js';
import type { Attributes } from '../../plugin/ops/declaration.js';
import { nonMaxSuppressionSpec } from '../../plugin/ops/detections.spec.js';
import { pasteMasksSpec } from '../../plugin/ops/paste_masks.spec.js';
import {
  adaptiveAveragePoolSpec,
  interpolateBilinearSpec,
  interpolateNearestSpec,
} from '../../plugin/ops/resize.spec.js';
import { roiAlignSpec } from '../../plugin/ops/roi_align.spec.js';
import type { OpSpec } from '../../plugin/ops/spec/spec.js';
import type { CaseTensors } from '../../plugin/ops/spec/tensor.js';
import { type CaseTensor, type ConformanceCase, float32, int32, type OpCase } from '../case.js';
import { gradientCase, outputsCase } from '../spec_cases.js';
import { type CaseFile, channelsLast, LayoutError } from './case_file.js';

/** A case in the metadata. */
type Entry = Readonly<Record<string, unknown>> & { readonly name: string };

interface Kind {
  /** Recognises the kind by a tensor of each case. */
  readonly known: (file: CaseFile, entry: Entry) => boolean;
  readonly cases: (file: CaseFile, entries: readonly Entry[]) => ConformanceCase[];
}

const KINDS: readonly Kind[] = [
  { known: (file, { rois }) => typeof rois === 'string' && file.has('input', rois), cases: roiAlignCases },
  {
    known: (file, { name, mode }) => typeof mode === 'string' && hasMap(file, name),
    cases: each(resizeCases),
  },
  {
    known: (file, { name, output }) => Number.isInteger(output) && hasMap(file, name),
    cases: each(poolingCases),
  },
  { known: (file, { name, kind }) => typeof kind === 'string' && isNms(file, name), cases: each(nmsCases) },
  { known: (file, { name }) => file.has(`${name}.rois`, `${name}.deltas`, `${name}.boxes`), cases: boxCases },
];

export function isDenseOpsFile(file: CaseFile): boolean {
  if (file.has('masks', 'boxes', 'pasted')) return true;
  const [first] = entriesOf(file);
  return first !== undefined && KINDS.some(({ known }) => known(file, first));
}

export function denseOpsFileCases(file: CaseFile): ConformanceCase[] {
  if (file.has('masks', 'boxes', 'pasted')) return pasteCases(file);
  const entries = entriesOf(file);
  const kind = KINDS.find(({ known }) => known(file, entries[0])) as Kind;
  const unlike = entries.find((entry) => !kind.known(file, entry));
  if (unlike)
    throw new LayoutError(`${file.path}: the case ${unlike.name} lacks tensors that ${entries[0].name} has`);
  return kind.cases(file, entries);
}

/** The list `name` in the metadata; empty if missing. */
function entriesOf(file: CaseFile, name = 'cases'): readonly Entry[] {
  try {
    const list: unknown = JSON.parse(file.metadata.get(name) ?? '[]');
    return Array.isArray(list) ? list.filter((entry) => typeof entry?.name === 'string') : [];
  } catch {
    return [];
  }
}

function each(cases: (file: CaseFile, entry: Entry) => ConformanceCase[]): Kind['cases'] {
  return (file, entries) => entries.flatMap((entry) => cases(file, entry));
}

function hasMap(file: CaseFile, name: string): boolean {
  return file.has(`${name}.input`, `${name}.output`);
}

/** A case with the additional expected value from the file. */
function stored(testCase: OpCase, of: string, from: string, tensor: CaseTensor): OpCase {
  return { ...testCase, references: [...testCase.references, { of, from, tensor }] };
}

/** Outputs, and gradients if the file has them; maps become channels-last. */
function mapCases(
  file: CaseFile,
  spec: OpSpec,
  names: Readonly<Record<'call' | 'input' | 'output', string>>,
  { inputs, attributes }: { readonly inputs: CaseTensors; readonly attributes: Attributes },
): OpCase[] {
  const map = (name: string) => channelsLast(file.floats(name, 4));
  const call = { name: `${file.name} ${names.call}`, inputs, attributes };
  const [gradient, dy] = [`${names.call}.grad_input`, `${names.call}.grad_output`];
  return [
    stored(outputsCase(spec, call), 'y', names.output, map(names.output)),
    ...(file.has(gradient, dy)
      ? [stored(gradientCase(spec, call, { y: map(dy) }), names.input, gradient, map(gradient))]
      : []),
  ];
}

function resizeCases(file: CaseFile, { name, mode, align_corners, size }: Entry): OpCase[] {
  const spec = mode === 'nearest' ? interpolateNearestSpec : interpolateBilinearSpec;
  const [height, width] = numbers(size, 2);
  const attributes = { height, width, ...(mode === 'bilinear' && { alignCorners: align_corners === true }) };
  const inputs = { x: channelsLast(file.input(`${name}.input`, 4)) };
  return mapCases(file, spec, { call: name, input: 'x', output: `${name}.output` }, { inputs, attributes });
}

function poolingCases(file: CaseFile, { name, output }: Entry): OpCase[] {
  const attributes = { outHeight: output as number, outWidth: output as number };
  const inputs = { x: channelsLast(file.input(`${name}.input`, 4)) };
  const names = { call: name, input: 'x', output: `${name}.output` };
  return mapCases(file, adaptiveAveragePoolSpec, names, { inputs, attributes });
}

function roiAlignCases(file: CaseFile, entries: readonly Entry[]): OpCase[] {
  const features = channelsLast(file.input('input', 4));
  const cases = entries.flatMap((entry) => {
    const [outHeight, outWidth] = numbers(entry.output_size, 2);
    const rois = firstRows(file.input(entry.rois as string, 2), entry.rows as number);
    const names = { call: entry.name, input: 'features', output: `${entry.name}.output` };
    const attributes = {
      outHeight,
      outWidth,
      spatialScale: entry.spatial_scale as number,
      samplingRatio: entry.sampling_ratio as number,
      aligned: entry.aligned as boolean,
    };
    return mapCases(file, roiAlignSpec, names, { inputs: { features, rois }, attributes });
  });
  return file.has('extractor.rois', 'extractor.level') ? [...cases, ...extractorCases(file)] : cases;
}

/** Regions sampled from the levels of a pyramid: one case per level, with zeros for regions of other levels. */
function extractorCases(file: CaseFile): OpCase[] {
  const { strides, finest_scale, sampling_ratio, aligned } = JSON.parse(
    file.metadata.get('extractor') ?? '{}',
  );
  const levels: number[] = numbers(strides);
  const rois = file.input('extractor.rois', 2);
  const level = file.ints('extractor.level', 1).values;
  const byLevel = levels.map((_, l) =>
    float32(
      rois.shape,
      rois.values.map((value, i) => (i % 5 === 0 && level[Math.floor(i / 5)] !== l ? -1 : value)),
    ),
  );
  const all = float32(
    [levels.length, ...rois.shape],
    byLevel.flatMap(({ values }) => Array.from(values as Float32Array)),
  );
  const call = {
    name: `${file.name} extractor`,
    inputs: { rois },
    attributes: { levels: levels.length, finestScale: finest_scale },
  };
  const chosen = stored(outputsCase(roiLevelsSpec, call), 'byLevel', 'extractor.level', all);
  const outputs = file.names.filter((name) => /^extractor\.out\d+/.test(name));
  const aligns = outputs.flatMap((name) =>
    levels.map((stride, l) => {
      const output = channelsLast(file.floats(name, 4));
      const [rows, outHeight, outWidth] = output.shape;
      const size = output.values.length / rows;
      const own = output.values.map((value, i) => (level[Math.floor(i / size)] === l ? value : 0));
      const testCase = outputsCase(roiAlignSpec, {
        name: `${file.name} ${name} of level ${l}`,
        inputs: {
          features: channelsLast(file.input(`extractor.features.${l}`, 4)),
          rois: firstRows(byLevel[l], rows),
        },
        attributes: { outHeight, outWidth, spatialScale: 1 / stride, samplingRatio: sampling_ratio, aligned },
      });
      return stored(testCase, 'y', name, float32(output.shape, own));
    }),
  );
  return [chosen, ...aligns];
}

function isNms(file: CaseFile, name: string): boolean {
  return file.has(`${name}.boxes`, `${name}.scores`, `${name}.keep`) || file.has(`${name}.multi_bboxes`);
}

function nmsCases(file: CaseFile, entry: Entry): OpCase[] {
  const { name } = entry;
  if (file.has(`${name}.multi_bboxes`)) return [multiclassCase(file, entry)];
  const [boxes, scores] = [file.input(`${name}.boxes`, 2), file.input(`${name}.scores`, 1)];
  const isByLabel = file.has(`${name}.labels`) && entry.class_agnostic !== true;
  const labels: CaseTensors = isByLabel ? { labels: file.ints(`${name}.labels`, 1) } : {};
  const keep = file.ints(`${name}.keep`, 1);
  const testCase = outputsCase(nonMaxSuppressionSpec, {
    name: `${file.name} ${name}`,
    inputs: { boxes, scores, ...labels },
    attributes: { iouThreshold: entry.iou_threshold as number },
  });
  const problem = detsProblem(file, name, keep.values, boxes.values, scores.values);
  return [{ ...stored(testCase, 'keep', `${name}.keep`, keep), contradiction: problem }];
}

/** The (box, class) pairs whose score is large enough that are kept, without the background. */
function multiclassCase(file: CaseFile, entry: Entry): OpCase {
  const { name } = entry;
  const multiBoxes = file.input(`${name}.multi_bboxes`, 2);
  const multiScores = file.input(`${name}.multi_scores`, 2);
  const classes = multiScores.shape[1] - 1;
  const perRow = multiBoxes.shape[1];
  const at: number[] = []; // row * classes + class
  multiScores.values.forEach((score, i) => {
    const [row, label] = [Math.floor(i / (classes + 1)), i % (classes + 1)];
    if (label < classes && score > Math.fround(entry.score_thr as number)) at.push(row * classes + label);
  });
  const boxes = at.flatMap((i) => {
    const first = Math.floor(i / classes) * perRow + (perRow > 4 ? 4 * (i % classes) : 0);
    return Array.from(multiBoxes.values.subarray(first, first + 4));
  });
  const scores = at.map((i) => multiScores.values[Math.floor(i / classes) * (classes + 1) + (i % classes)]);
  const testCase = outputsCase(nonMaxSuppressionSpec, {
    name: `${file.name} ${name}`,
    inputs: {
      boxes: float32([at.length, 4], boxes),
      scores: float32([at.length], scores),
      labels: int32(
        [at.length],
        at.map((i) => i % classes),
      ),
    },
    attributes: {
      iouThreshold: entry.iou_threshold as number,
      ...(Number.isInteger(entry.max_num) &&
        (entry.max_num as number) > 0 && { maxOutput: entry.max_num as number }),
    },
  });
  const keep = Array.from(file.ints(`${name}.inds`, 1).values, (index) => at.indexOf(index));
  const labels = file.ints(`${name}.labels`, 1).values;
  const contradiction = keep.some((k, i) => at[k] % classes !== labels[i])
    ? `the file contradicts itself: ${name}.labels and .inds are of different classes`
    : detsProblem(file, name, keep, boxes, scores);
  return { ...stored(testCase, 'keep', `${name}.inds`, int32([keep.length], keep)), contradiction };
}

/** Checks that `dets` are the kept boxes with their scores. */
function detsProblem(
  file: CaseFile,
  name: string,
  keep: ArrayLike<number>,
  boxes: ArrayLike<number>,
  scores: ArrayLike<number>,
): string | undefined {
  const rows = Array.from(keep).flatMap((k) => [...Array.from(boxes).slice(4 * k, 4 * k + 4), scores[k]]);
  const { values } = file.floats(`${name}.dets`, 2);
  if (rows.length === values.length && rows.every((value, i) => value === values[i])) return undefined;
  return `the file contradicts itself: ${name}.dets are not the boxes that were kept`;
}

function boxCases(file: CaseFile, entries: readonly Entry[]): OpCase[] {
  const decoding = entries.map(({ name, stds, max_shape, wh_ratio_clip }) => {
    const imageShape: CaseTensors = Array.isArray(max_shape) ? { imageShape: int32([2], max_shape) } : {};
    const testCase = outputsCase(decodeBoxesSpec, {
      name: `${file.name} ${name}`,
      inputs: {
        boxes: file.input(`${name}.rois`, 2),
        deltas: file.input(`${name}.deltas`, 2),
        ...imageShape,
      },
      attributes: { stds: numbers(stds, 4), maxRatio: wh_ratio_clip as number },
    });
    return stored(testCase, 'decoded', `${name}.boxes`, file.floats(`${name}.boxes`, 2));
  });
  return [...decoding, ...encodingCases(file), ...anchorCases(file)];
}

/** Units of the deltas in the file: those of a box head. */
const BOX_HEAD_STDS = [0.1, 0.1, 0.2, 0.2];

function encodingCases(file: CaseFile): OpCase[] {
  if (!file.has('encode.proposals', 'encode.gt', 'encode.deltas')) return [];
  const inputs = { boxes: file.input('encode.proposals', 2), targets: file.input('encode.gt', 2) };
  const testCase = outputsCase(encodeBoxesSpec, {
    name: `${file.name} encode`,
    inputs,
    attributes: { stds: BOX_HEAD_STDS },
  });
  return [stored(testCase, 'deltas', 'encode.deltas', file.floats('encode.deltas', 2))];
}

function anchorCases(file: CaseFile): OpCase[] {
  const { strides = [], ratios, scales, sizes } = JSON.parse(file.metadata.get('anchors') ?? '{}');
  return numbers(strides).map((stride, l) => {
    const [height, width] = numbers(sizes[l], 2);
    const testCase = outputsCase(anchorGridSpec, {
      name: `${file.name} anchors of level ${l}`,
      inputs: { features: float32([1, height, width, 1], new Float32Array(height * width)) },
      attributes: { stride, scale: scales[0], ratios: numbers(ratios) },
    });
    const grid = file.floats(`anchors.grid.${l}`, 2);
    const base = file.floats(`anchors.base.${l}`, 2).values;
    const contradiction = base.every((value, i) => value === grid.values[i])
      ? undefined
      : `the file contradicts itself: anchors.base.${l} are not those of the first position`;
    return { ...stored(testCase, 'anchors', `anchors.grid.${l}`, grid), contradiction };
  });
}

function pasteCases(file: CaseFile): OpCase[] {
  const [height, width] = ['height', 'width'].map((name) => Number(file.metadata.get(name)));
  const pasted = file.floats('pasted', 3);
  const testCase = outputsCase(pasteMasksSpec, {
    name: file.name,
    inputs: { masks: file.input('masks', 3), boxes: file.input('boxes', 2) },
    attributes: { height, width },
  });
  return [{ ...stored(testCase, 'y', 'pasted', pasted), contradiction: maskProblem(file, pasted) }];
}

/** Checks that `binary_packed` and `area` correspond to the pixels that reach the threshold. */
function maskProblem(file: CaseFile, { values, shape }: CaseTensor): string | undefined {
  const threshold = Number(file.metadata.get('threshold') ?? 0.5);
  const packed = file.ints('binary_packed', 2);
  const areas: unknown = JSON.parse(file.metadata.get('area') ?? '[]');
  const size = shape[1] * shape[2];
  for (let k = 0; k < shape[0]; k++) {
    let area = 0;
    for (let i = 0; i < size; i++) {
      const bit = (packed.values[k * packed.shape[1] + (i >> 3)] >> (7 - (i & 7))) & 1;
      if (bit !== Number(values[k * size + i] >= threshold)) {
        return `the file contradicts itself: pixel ${i} of mask ${k} is ${values[k * size + i]}, its bit ${bit}`;
      }
      area += bit;
    }
    if (Array.isArray(areas) && areas[k] !== undefined && areas[k] !== area) {
      return `the file contradicts itself: mask ${k} has ${area} pixels, its area is ${areas[k]}`;
    }
  }
  return undefined;
}

function firstRows(tensor: CaseTensor, rows: number): CaseTensor {
  const [count, columns] = tensor.shape;
  const most = Math.min(rows, count);
  return float32([most, columns], (tensor.values as Float32Array).subarray(0, most * columns));
}

/** @throws {LayoutError} unless it is a list of numbers of the given length */
function numbers(value: unknown, length?: number): number[] {
  const isList = Array.isArray(value) && value.every(Number.isFinite);
  if (isList && (length === undefined || value.length === length)) return value;
  throw new LayoutError(
    `the metadata have ${JSON.stringify(value)}, expected ${length ?? 'a list of'} numbers`,
  );
}
