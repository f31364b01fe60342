/**
 * Matches an image's results to its objects by the rules of COCO's evaluation (pycocotools): per category and by descending
 * score, each result gets the unmatched object that it overlaps most, at each of ten thresholds.
 */
import { type RunLengths, runsOfOnes } from '../image/mask.js';

/** An object of an image, as in COCO's annotation files. */
export interface CocoAnnotation {
  readonly image_id: number | string;
  readonly category_id: number;
  /** x, y, width and height in pixels. */
  readonly bbox: readonly [x: number, y: number, width: number, height: number];
  /**
   * Determines whether it is small, medium or large; by default the area of the mask if masks are compared, else of the box.
   */
  readonly area?: number;
  /** Whether it is a group of objects: results in it are neither true nor false positives. */
  readonly iscrowd?: 0 | 1;
  /** Run lengths, required if masks are compared. */
  readonly segmentation?: RunLengths;
}

/** A result of a detector, as in COCO's result files. */
export interface CocoResult {
  readonly image_id: number | string;
  readonly category_id: number;
  readonly score: number;
  readonly bbox?: readonly [x: number, y: number, width: number, height: number];
  readonly segmentation?: RunLengths;
}

/** What is compared. */
export type CocoComparison = 'boxes' | 'masks';

/** Thresholds of the intersection over union: numpy's linspace(0.5, 0.95, 10). */
export const IOU_THRESHOLDS: readonly number[] = Array.from({ length: 10 }, (_, i) =>
  i === 9 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / 9),
);

/** Maximum number of results per image and category. */
export const MOST_RESULTS = 100;

/** In square pixels. */
export interface AreaRange {
  readonly least: number;
  readonly most: number;
}

/** A box, or the starts and ends of a mask's runs of ones. */
interface Region {
  readonly area: number;
  readonly box?: readonly number[];
  readonly runs?: readonly number[];
  readonly size?: readonly number[];
}

interface Truth extends Region {
  /** The area that decides its size range. */
  readonly statedArea: number;
  readonly isCrowd: boolean;
}

interface Found extends Region {
  readonly score: number;
}

/** Objects and results of one category in one image, with the overlaps of all pairs. */
export interface ImageCategory {
  readonly truths: readonly Truth[];
  /** By descending score. */
  readonly found: readonly Found[];
  /** [found, truths] */
  readonly overlaps: readonly Float64Array[];
}

/** The matching of an image's results, by descending score. */
export interface Matches {
  /** [results] bits {@link rightAt} and {@link wrongAt} of each; a result with neither does not count. */
  readonly verdicts: Int32Array;
  /** Number of objects that count. */
  readonly truths: number;
}

/** The bit of a verdict that marks a true positive at a threshold, by its index. */
export function rightAt(threshold: number): number {
  return 1 << threshold;
}

/** The bit of a verdict that marks a false positive. */
export function wrongAt(threshold: number): number {
  return 1 << (IOU_THRESHOLDS.length + threshold);
}

export function imageCategory(
  annotations: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  comparison: CocoComparison,
): ImageCategory {
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
    throw new Error(`evaluateCoco: ${what} of image ${image_id} has ${expected}`);
  };
  if (comparison === 'boxes') {
    const box = bbox ?? fail('no bbox');
    if (!(box.length === 4 && box.every(Number.isFinite))) {
      fail(`the bbox [${box}], expected x, y, width and height`);
    }
    return { area: box[2] * box[3], box };
  }
  const mask = segmentation ?? fail('no segmentation');
  if (!Array.isArray(mask.size)) fail('a segmentation that is not run lengths, expected size and counts');
  const runs = runsOfOnes(mask);
  let area = 0;
  for (let i = 0; i < runs.length; i += 2) area += runs[i + 1] - runs[i];
  return { area, runs, size: mask.size };
}

/** Intersection over union; for a crowd, intersection over the result's area. */
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
      `evaluateCoco: a result's mask is of [${found.size}] pixels, its image's of [${truth.size}]`,
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

/** Matches the results of an image with its objects within a size range. */
export function matchResults({ truths, found, overlaps }: ImageCategory, range: AreaRange): Matches {
  const isOutside = (area: number) => area < range.least || area > range.most;
  // Objects that count precede those that do not, each in the order of the file.
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
