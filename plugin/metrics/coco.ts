/** Average precision and recall of detectors, as defined by COCO (T.-Y. Lin et al., 2014; pycocotools). */
import { options as checkOptions, oneOf } from '../models/checks.js';
import { CategoryTally, type Curves } from './coco_curves.js';
import {
  type CocoAnnotation,
  type CocoComparison,
  type CocoResult,
  IOU_THRESHOLDS,
  imageCategory,
  matchResults,
} from './coco_matching.js';

export interface CocoOptions {
  /** Boxes by default. */
  readonly compare?: CocoComparison;
}

/** From 0 to 1; -1 if there are no objects to find. */
export interface CocoScores {
  /** Average precision, averaged over the overlap thresholds 0.5, 0.55 ... 0.95 and over categories. */
  readonly AP: number;
  readonly AP50: number;
  readonly AP75: number;
  /** For objects below 32 x 32 pixels, up to 96 x 96, and above. */
  readonly APsmall: number;
  readonly APmedium: number;
  readonly APlarge: number;
  /** Average recall with 1, 10 and 100 results per image and category. */
  readonly AR1: number;
  readonly AR10: number;
  readonly AR100: number;
  readonly ARsmall: number;
  readonly ARmedium: number;
  readonly ARlarge: number;
}

/** The scores over all categories, and those of each. */
export interface CocoEvaluation extends CocoScores {
  /** Average precision at each of the thresholds 0.5, 0.55 ... 0.95. */
  readonly perThreshold: readonly number[];
  readonly categories: ReadonlyMap<number, CocoScores>;
}

/**
 * Compares a detector's results with the annotations, image by image: of each result some 50 bytes are kept, but no box or
 * mask. Only the best 100 results per image and category count. When masks are compared, the area of a result is that of its
 * mask, as in mmdetection (pycocotools uses that of the `bbox` if there is one).
 */
export class CocoEvaluator {
  private readonly tallies = new Map<number, CategoryTally>();
  private readonly compare: CocoComparison;

  /** @throws {Error} if an option is invalid. */
  constructor(options: CocoOptions = {}) {
    checkOptions(options, 'CocoEvaluator', { compare: oneOf('boxes', 'masks') });
    this.compare = options.compare ?? 'boxes';
  }

  /**
   * Adds one image. pycocotools processes images by ascending id, which matters only for equal scores.
   * @param annotations all of the image, of every category
   * @param results likewise; for an image without objects all of them are false positives
   * @throws {Error} one line, if a box or a mask is missing or invalid, or a score is not a number; nothing is then added.
   */
  add(annotations: readonly CocoAnnotation[], results: readonly CocoResult[]): void {
    for (const { image_id, score } of results) {
      if (Number.isFinite(score)) continue;
      throw new Error(
        `evaluateCoco: the score of a result of image ${image_id} is ${score}, expected a number`,
      );
    }
    const categories = new Set([...annotations, ...results].map(({ category_id }) => category_id));
    const parts = Array.from(categories, (category) => {
      const own = ({ category_id }: CocoAnnotation | CocoResult) => category_id === category;
      const part = imageCategory(annotations.filter(own), results.filter(own), this.compare);
      return { category, part };
    });
    for (const { category, part } of parts) {
      let tally = this.tallies.get(category);
      if (!tally) {
        tally = new CategoryTally();
        this.tallies.set(category, tally);
      }
      tally.add(
        part.found.map(({ score }) => score),
        (area) => matchResults(part, area),
      );
    }
  }

  /** Evaluates the images that have been added. */
  evaluation(): CocoEvaluation {
    const tallies = [...this.tallies].sort(([a], [b]) => a - b);
    const curves = tallies.map(([, tally]) => tally.curves());
    const categories = new Map(tallies.map(([category], i) => [category, scoresOf([curves[i]])]));
    const perThreshold = Array.from(IOU_THRESHOLDS, (_, i) => precisionOf(curves, 'all', [i]));
    return { ...scoresOf(curves), perThreshold, categories };
  }
}

/**
 * Compares a detector's results with the annotations, like `CocoEvaluator`.
 * @param annotations of all images; an image with results but no annotations counts as empty
 * @throws {Error} one line, if a box or a mask is missing or invalid.
 */
export function evaluateCoco(
  annotations: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  options: CocoOptions = {},
): CocoEvaluation {
  const evaluator = new CocoEvaluator(options);
  const [truths, found] = [byImage(annotations), byImage(results)];
  // Like numpy's unique: numbers are sorted by value.
  const images = [...new Set([...truths.keys(), ...found.keys()])].sort((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  for (const image of images) evaluator.add(truths.get(image) ?? [], found.get(image) ?? []);
  return evaluator.evaluation();
}

/** Keeps the order of the list. */
function byImage<Item extends CocoAnnotation | CocoResult>(
  items: readonly Item[],
): Map<number | string, Item[]> {
  const groups = new Map<number | string, Item[]>();
  for (const item of items) {
    const group = groups.get(item.image_id);
    if (group) group.push(item);
    else groups.set(item.image_id, [item]);
  }
  return groups;
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Returns the mean precision over categories that have objects, thresholds and recalls. */
function precisionOf(
  categories: readonly Curves[],
  which: keyof Curves,
  thresholds: readonly number[] = [...IOU_THRESHOLDS.keys()],
): number {
  const curves = categories.flatMap((category) => category[which] ?? []);
  return mean(
    curves.flatMap(({ precisions }) => thresholds.flatMap((threshold) => [...precisions[threshold]])),
  );
}

/** Returns the mean of the final recalls. */
function recallOf(categories: readonly Curves[], which: keyof Curves): number {
  return mean(categories.flatMap((category) => category[which]?.recalls ?? []));
}

function scoresOf(categories: readonly Curves[]): CocoScores {
  return {
    AP: precisionOf(categories, 'all'),
    AP50: precisionOf(categories, 'all', [0]),
    AP75: precisionOf(categories, 'all', [5]),
    APsmall: precisionOf(categories, 'small'),
    APmedium: precisionOf(categories, 'medium'),
    APlarge: precisionOf(categories, 'large'),
    AR1: recallOf(categories, 'one'),
    AR10: recallOf(categories, 'ten'),
    AR100: recallOf(categories, 'all'),
    ARsmall: recallOf(categories, 'small'),
    ARmedium: recallOf(categories, 'medium'),
    ARlarge: recallOf(categories, 'large'),
  };
}
