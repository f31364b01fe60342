/** Average precision and recall of detectors, as COCO defines them (T.-Y. Lin et al., 2014; pycocotools). */
import { options as checkOptions, oneOf } from '../models/checks.js';
import { CategoryTally, type Curves } from './coco_curves.js';
import {
  type CocoAnnotation,
  type CocoComparison,
  type CocoResult,
  IOU_THRESHOLDS,
  matchResults,
  pictureCategory,
} from './coco_matching.js';

export interface CocoOptions {
  /** Boxes by default. */
  readonly compare?: CocoComparison;
}

/** From 0 to 1; -1 where nothing is there to be found. */
export interface CocoScores {
  /** Average precision, mean over the thresholds 0.5, 0.55 ... 0.95 of the overlap, and over categories. */
  readonly AP: number;
  readonly AP50: number;
  readonly AP75: number;
  /** Of objects below 32 x 32 pixels, up to 96 x 96, and above. */
  readonly APsmall: number;
  readonly APmedium: number;
  readonly APlarge: number;
  /** Average recall, with 1, 10 and 100 results of a picture and a category. */
  readonly AR1: number;
  readonly AR10: number;
  readonly AR100: number;
  readonly ARsmall: number;
  readonly ARmedium: number;
  readonly ARlarge: number;
}

/** The scores of all categories, and those of each. */
export interface CocoEvaluation extends CocoScores {
  /** Average precision at each of the thresholds 0.5, 0.55 ... 0.95. */
  readonly perThreshold: readonly number[];
  readonly categories: ReadonlyMap<number, CocoScores>;
}

/**
 * Compares what a detector found with what there is, picture by picture: of each result some 50 bytes are kept, no box and no
 * mask. Only the best 100 results of a picture and a category count. Where masks are compared, the area of a result is that of
 * its mask, as mmdetection has it (pycocotools takes that of the `bbox` if there is one).
 */
export class CocoEvaluator {
  private readonly tallies = new Map<number, CategoryTally>();
  private readonly compare: CocoComparison;

  /** @throws {Error} when an option is not as described */
  constructor(options: CocoOptions = {}) {
    checkOptions(options, 'CocoEvaluator', { compare: oneOf('boxes', 'masks') });
    this.compare = options.compare ?? 'boxes';
  }

  /**
   * Adds one picture. pycocotools has pictures in ascending order of their ids, which matters for equal scores alone.
   * @param annotations all of the picture, of every category
   * @param results likewise; for a picture without objects they are all wrong
   * @throws {Error} one line, when a box or a mask is missing or is none, or a score is no number; then nothing is added
   */
  add(annotations: readonly CocoAnnotation[], results: readonly CocoResult[]): void {
    for (const { image_id, score } of results) {
      if (Number.isFinite(score)) continue;
      throw new Error(
        `evaluateCoco: the score of a result of picture ${image_id} is ${score}, expected a number`,
      );
    }
    const categories = new Set([...annotations, ...results].map(({ category_id }) => category_id));
    const parts = Array.from(categories, (category) => {
      const own = ({ category_id }: CocoAnnotation | CocoResult) => category_id === category;
      const part = pictureCategory(annotations.filter(own), results.filter(own), this.compare);
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

  /** Of the pictures that have been added. */
  evaluation(): CocoEvaluation {
    const tallies = [...this.tallies].sort(([a], [b]) => a - b);
    const curves = tallies.map(([, tally]) => tally.curves());
    const categories = new Map(tallies.map(([category], i) => [category, scoresOf([curves[i]])]));
    const perThreshold = Array.from(IOU_THRESHOLDS, (_, i) => precisionOf(curves, 'all', [i]));
    return { ...scoresOf(curves), perThreshold, categories };
  }
}

/**
 * Compares what a detector found with what there is, as `CocoEvaluator` does.
 * @param annotations of all pictures; a picture that has none, but results, counts as empty
 * @throws {Error} one line, when a box or a mask is missing or is none
 */
export function evaluateCoco(
  annotations: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  options: CocoOptions = {},
): CocoEvaluation {
  const evaluator = new CocoEvaluator(options);
  const [truths, found] = [byPicture(annotations), byPicture(results)];
  // As numpy's unique: numbers by value.
  const pictures = [...new Set([...truths.keys(), ...found.keys()])].sort((a, b) =>
    a < b ? -1 : a > b ? 1 : 0,
  );
  for (const picture of pictures) evaluator.add(truths.get(picture) ?? [], found.get(picture) ?? []);
  return evaluator.evaluation();
}

/** In the order of the list. */
function byPicture<Item extends CocoAnnotation | CocoResult>(
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

/** Mean precision over categories that have objects, thresholds and recalls. */
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

/** Mean of the last recalls. */
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
