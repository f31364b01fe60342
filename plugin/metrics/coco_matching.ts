/**
 * Which results of a picture are objects of it, by the rules of COCO's evaluation (pycocotools): for one category, by
 * descending score, each gets the free object that it overlaps most, at each of ten thresholds.
 */
import { type RunLengths, runsOfOnes } from '../image/mask.js';

/** An object of a picture, as COCO's files of annotations have it. */
export interface CocoAnnotation {
  readonly image_id: number | string;
  readonly category_id: number;
  /** x, y, width and height, pixels. */
  readonly bbox: readonly [x: number, y: number, width: number, height: number];
  /** By which it is small, medium or large; by default that of the mask where masks are compared, or of the box. */
  readonly area?: number;
  /** A group of objects: what lies in it is neither right nor wrong. */
  readonly iscrowd?: 0 | 1;
  /** Run lengths, where masks are compared. */
  readonly segmentation?: RunLengths;
}

/** What a detector found, as COCO's files of results have it. */
export interface CocoResult {
  readonly image_id: number | string;
  readonly category_id: number;
  readonly score: number;
  readonly bbox?: readonly [x: number, y: number, width: number, height: number];
  readonly segmentation?: RunLengths;
}

/** What is compared. */
export type CocoComparison = 'boxes' | 'masks';

/** Thresholds of the intersection over union, as numpy's linspace(0.5, 0.95, 10) has them. */
export const IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9),
);

/** Results of a picture and a category that are looked at. */
export const MOST_RESULTS = 100;

/** Squares of pixels. */
export interface AreaRange {
  readonly least: number;
  readonly most: number;
}

/** A box, or where the ones of a mask begin and end. */
interface Region {
  readonly area: number;
  readonly box?: readonly number[];
  readonly runs?: readonly number[];
  readonly size?: readonly number[];
}

interface Truth extends Region {
  /** By which it is small or large. */
  readonly statedArea: number;
  readonly isCrowd: boolean;
}

interface Found extends Region {
  readonly score: number;
}

/** Objects and results of one category in one picture, with the overlaps of all pairs. */
export interface PictureCategory {
  readonly truths: readonly Truth[];
  /** The best first. */
  readonly found: readonly Found[];
  /** [found, truths] */
  readonly overlaps: readonly Float64Array[];
}

/** What the matching says of the results of a picture, the best first. */
export interface Matches {
  /** [results] {@link rightAt} and {@link wrongAt} of each; what is neither does not count. */
  readonly verdicts: Int32Array;
  /** Objects that count. */
  readonly truths: number;
}

/** The bit of a verdict that says that a result is an object, by the index of the threshold. */
export function rightAt(threshold: number): number {
  return 1 << threshold;
}

/** The bit of a verdict that says that a result is none. */
export function wrongAt(threshold: number): number {
  return 1 << (IOU_THRESHOLDS.length + threshold);
}

export function pictureCategory(
  annotations: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  comparison: CocoComparison,
): PictureCategory {
  const truths = annotations.map((annotation): Truth => {
    const region = regionOf(annotation, comparison, 'annotation');
    return { ...region, statedArea: annotation.area ?? region.area, isCrowd: annotation.iscrowd === 1 };
  });
  const found = [...results]
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST_RESULTS)
    .map((result): Found => ({ ...regionOf(result, comparison, 'result'), score: result.score }));
  const overlaps = found.map((each) => Float64Array.from(truths, (truth) => overlapOf(each, truth)));
  return { truths, found, overlaps };
}

function regionOf(
  { image_id, bbox, segmentation }: Pick<CocoResult, 'image_id' | 'bbox' | 'segmentation'>,
  comparison: CocoComparison,
  what: string,
): Region {
  const fail = (expected: string): never => {
    throw new Error(`evaluateCoco: ${what} of picture ${image_id} has ${expected}`);
  };
  if (comparison === 'boxes') {
    const box = bbox ?? fail('no bbox');
    if (!(box.length === 4 && box.every(Number.isFinite))) {
      fail(`the bbox [${box}], expected x, y, width and height`);
    }
    return { area: box[2] * box[3], box };
  }
  const mask = segmentation ?? fail('no segmentation');
  if (!Array.isArray(mask.size)) fail('a segmentation that is no run lengths, expected size and counts');
  const runs = runsOfOnes(mask);
  let area = 0;
  for (let i = 0; i < runs.length; i += 2) area += runs[i + 1] - runs[i];
  return { area, runs, size: mask.size };
}

/** Intersection over union; over the result alone where the object is a crowd. */
function overlapOf(found: Found, truth: Truth): number {
  const shared = found.box
    ? sharedByBoxes(found.box, truth.box as readonly number[])
    : sharedByMasks(found, truth);
  if (shared === 0) return 0;
  return shared / (truth.isCrowd ? found.area : found.area + truth.area - shared);
}

function sharedByBoxes(a: readonly number[], b: readonly number[]): number {
  const along = (axis: 0 | 1) =>
    Math.min(a[axis] + a[axis + 2], b[axis] + b[axis + 2]) - Math.max(a[axis], b[axis]);
  const [width, height] = [along(0), along(1)];
  return width > 0 && height > 0 ? width * height : 0;
}

function sharedByMasks(found: Region, truth: Region): number {
  if (`${found.size}` !== `${truth.size}`) {
    throw new Error(
      `evaluateCoco: a result's mask is of [${found.size}] pixels, its picture's of [${truth.size}]`,
    );
  }
  const [a, b] = [found.runs as readonly number[], truth.runs as readonly number[]];
  let [shared, i, j] = [0, 0, 0];
  while (i < a.length && j < b.length) {
    shared += Math.max(0, Math.min(a[i + 1], b[j + 1]) - Math.max(a[i], b[j]));
    if (a[i + 1] < b[j + 1]) i += 2;
    else j += 2;
  }
  return shared;
}

/** Matches the results of a picture with its objects of some sizes. */
export function matchResults({ truths, found, overlaps }: PictureCategory, range: AreaRange): Matches {
  const isOutside = (area: number) => area < range.least || area > range.most;
  // Objects that count before those that do not, each in the order of the file.
  const doesCount = truths.map(({ isCrowd, statedArea }) => !isCrowd && !isOutside(statedArea));
  const order = [...truths.keys()].sort((a, b) => Number(doesCount[b]) - Number(doesCount[a]));
  const verdicts = new Int32Array(found.length);
  for (const [t, threshold] of IOU_THRESHOLDS.entries()) {
    const isTaken = new Uint8Array(truths.length);
    for (const [d, { area }] of found.entries()) {
      let best = -1;
      let largest = Math.min(threshold, 1 - 1e-10);
      for (const g of order) {
        if (isTaken[g] === 1 && !truths[g].isCrowd) continue;
        if (best >= 0 && doesCount[best] && !doesCount[g]) break;
        if (overlaps[d][g] < largest) continue;
        largest = overlaps[d][g];
        best = g;
      }
      if (best >= 0) {
        isTaken[best] = 1;
        if (doesCount[best]) verdicts[d] |= rightAt(t);
      } else if (!isOutside(area)) verdicts[d] |= wrongAt(t);
    }
  }
  return { verdicts, truths: doesCount.filter(Boolean).length };
}
