/** Average precision and recall of detectors, as COCO defines them (T.-Y. Lin et al., 2014; pycocotools). */
import { options as checkOptions, oneOf } from '../models/checks.js';
import {
  type AreaRange,
  type CocoAnnotation,
  type CocoComparison,
  type CocoResult,
  IOU_THRESHOLDS,
  type Matches,
  MOST_RESULTS,
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
  readonly categories: ReadonlyMap<number, CocoScores>;
}

const LARGEST = 1e10;
const AREAS = {
  all: { least: 0, most: LARGEST },
  small: { least: 0, most: 32 ** 2 },
  medium: { least: 32 ** 2, most: 96 ** 2 },
  large: { least: 96 ** 2, most: LARGEST },
} satisfies Record<string, AreaRange>;

/** At which precision is averaged: numpy's linspace(0, 1, 101). */
const RECALLS = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));
/** numpy's spacing(1). */
const EPSILON = 2 ** -52;

/**
 * Compares what a detector found with what there is. Only the best 100 results of a picture and a category count. Where
 * masks are compared, the area of a result is that of its mask, as mmdetection has it (pycocotools takes that of the
 * `bbox` if there is one).
 * @param annotations of all pictures; a picture that has none, but results, counts as empty
 * @throws {Error} one line, when a box or a mask is missing or is none
 */
export function evaluateCoco(
  annotations: readonly CocoAnnotation[],
  results: readonly CocoResult[],
  options: CocoOptions = {},
): CocoEvaluation {
  checkOptions(options, 'evaluateCoco', { compare: oneOf('boxes', 'masks') });
  const compare = options.compare ?? 'boxes';
  for (const { image_id, score } of results) {
    if (Number.isFinite(score)) continue;
    throw new Error(
      `evaluateCoco: the score of a result of picture ${image_id} is ${score}, expected a number`,
    );
  }
  const [truths, found] = [groups(annotations), groups(results)];
  const pictures = sorted(new Set([...annotations, ...results].map(({ image_id }) => image_id)));
  const categories = sorted(new Set([...annotations, ...results].map(({ category_id }) => category_id)));
  const curves = categories.map((category) => {
    const parts = pictures.flatMap((picture) => {
      const key = `${category} ${picture}`;
      const [objects, given] = [truths.get(key) ?? [], found.get(key) ?? []];
      return objects.length + given.length === 0 ? [] : [pictureCategory(objects, given, compare)];
    });
    const matches = (area: AreaRange) => parts.map((part) => matchResults(part, area));
    const all = matches(AREAS.all);
    return {
      all: curveOf(all, MOST_RESULTS),
      one: curveOf(all, 1),
      ten: curveOf(all, 10),
      small: curveOf(matches(AREAS.small), MOST_RESULTS),
      medium: curveOf(matches(AREAS.medium), MOST_RESULTS),
      large: curveOf(matches(AREAS.large), MOST_RESULTS),
    };
  });
  const scores = curves.map((curve) => scoresOf([curve]));
  return { ...scoresOf(curves), categories: new Map(categories.map((category, i) => [category, scores[i]])) };
}

/** In the order of the list, by category and picture. */
function groups<Item extends CocoAnnotation | CocoResult>(items: readonly Item[]): Map<string, Item[]> {
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const key = `${item.category_id} ${item.image_id}`;
    const group = found.get(key);
    if (group) group.push(item);
    else found.set(key, [item]);
  }
  return found;
}

/** As numpy's unique: numbers by value. */
function sorted<Id extends number | string>(ids: ReadonlySet<Id>): Id[] {
  return [...ids].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Of a category: for each threshold precision at RECALLS, and the last recall. */
interface Curve {
  readonly precisions: readonly Float64Array[];
  readonly recalls: readonly number[];
}

/** Of objects of all sizes, with 100, 1 and 10 results of a picture; and of some sizes. Undefined: there are none. */
type Curves = Readonly<Record<'all' | 'one' | 'ten' | 'small' | 'medium' | 'large', Curve | undefined>>;

/** @returns undefined when there is no object */
function curveOf(pictures: readonly Matches[], most: number): Curve | undefined {
  const truths = pictures.reduce((sum, { truths }) => sum + truths, 0);
  if (truths === 0) return undefined;
  const rows = pictures.flatMap(({ scores }, picture) =>
    scores.slice(0, most).map((score, result) => ({ score, picture, result })),
  );
  rows.sort((a, b) => b.score - a.score);
  const [precisions, recalls]: [Float64Array[], number[]] = [[], []];
  for (const t of IOU_THRESHOLDS.keys()) {
    const precision = new Float64Array(rows.length);
    const recall = new Float64Array(rows.length);
    let [right, wrong] = [0, 0];
    for (const [i, { picture, result }] of rows.entries()) {
      const { matched, ignored } = pictures[picture];
      if (ignored[t][result] === 0) {
        if (matched[t][result] === 1) right++;
        else wrong++;
      }
      recall[i] = right / truths;
      precision[i] = right / (wrong + right + EPSILON);
    }
    for (let i = rows.length - 1; i > 0; i--) precision[i - 1] = Math.max(precision[i - 1], precision[i]);
    let at = 0;
    precisions.push(
      Float64Array.from(RECALLS, (least) => {
        while (at < rows.length && recall[at] < least) at++;
        return at < rows.length ? precision[at] : 0;
      }),
    );
    recalls.push(rows.length > 0 ? recall[rows.length - 1] : 0);
  }
  return { precisions, recalls };
}

/** Means over categories that have objects. */
function scoresOf(categories: readonly Curves[]): CocoScores {
  const mean = (values: readonly number[]) =>
    values.length === 0 ? -1 : values.reduce((sum, value) => sum + value, 0) / values.length;
  const curves = (which: keyof Curves) => categories.flatMap((category) => category[which] ?? []);
  const precision = (which: keyof Curves, thresholds = [...IOU_THRESHOLDS.keys()]) =>
    mean(
      curves(which).flatMap(({ precisions }) =>
        thresholds.flatMap((threshold) => [...precisions[threshold]]),
      ),
    );
  const recall = (which: keyof Curves) => mean(curves(which).flatMap(({ recalls }) => recalls));
  return {
    AP: precision('all'),
    AP50: precision('all', [0]),
    AP75: precision('all', [5]),
    APsmall: precision('small'),
    APmedium: precision('medium'),
    APlarge: precision('large'),
    AR1: recall('one'),
    AR10: recall('ten'),
    AR100: recall('all'),
    ARsmall: recall('small'),
    ARmedium: recall('medium'),
    ARlarge: recall('large'),
  };
}
