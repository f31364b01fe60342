/** Accumulates the results of one category, image by image, and computes the precision-recall curves at the end. */
import { IOU_THRESHOLDS, type Matches, MOST_RESULTS, rightAt, wrongAt } from './coco_matching.js';

const LARGEST = 1e10;

/** Ranges of object sizes with separate scores, in square pixels. */
const AREAS = {
  all: { least: 0, most: LARGEST },
  small: { least: 0, most: 32 ** 2 },
  medium: { least: 32 ** 2, most: 96 ** 2 },
  large: { least: 96 ** 2, most: LARGEST },
} as const;

type Area = keyof typeof AREAS;

/** Range of object sizes, and number of best results per image, of each curve. */
const CURVES = {
  all: { area: 'all', most: MOST_RESULTS },
  one: { area: 'all', most: 1 },
  ten: { area: 'all', most: 10 },
  small: { area: 'small', most: MOST_RESULTS },
  medium: { area: 'medium', most: MOST_RESULTS },
  large: { area: 'large', most: MOST_RESULTS },
} as const satisfies Record<string, { area: Area; most: number }>;

/** Recalls at which precision is averaged: numpy's linspace(0, 1, 101). */
const RECALLS = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : i * 0.01));
/** numpy's spacing(1). */
const EPSILON = 2 ** -52;

/** Curves of a category: for each threshold, precision at 101 recalls, and the final recall. */
export interface Curve {
  readonly precisions: readonly Float64Array[];
  readonly recalls: readonly number[];
}

/** undefined: there are no such objects. */
export type Curves = Readonly<Record<keyof typeof CURVES, Curve | undefined>>;

/** The results of one category in all images: some 50 bytes each. */
export class CategoryTally {
  private readonly scores: number[] = [];
  /** Rank among the results of its image, best first. */
  private readonly ranks: number[] = [];
  private readonly verdicts: Record<Area, number[]> = { all: [], small: [], medium: [], large: [] };
  private readonly truths: Record<Area, number> = { all: 0, small: 0, medium: 0, large: 0 };

  /**
   * Adds an image. Equal scores are ordered by the image that was added first.
   * @param scores of its results, in descending order
   */
  add(scores: readonly number[], matchesOf: (area: (typeof AREAS)[Area]) => Matches): void {
    for (const [rank, score] of scores.entries()) {
      this.scores.push(score);
      this.ranks.push(rank);
    }
    for (const area of Object.keys(AREAS) as Area[]) {
      const { verdicts, truths } = matchesOf(AREAS[area]);
      for (const verdict of verdicts) this.verdicts[area].push(verdict);
      this.truths[area] += truths;
    }
  }

  curves(): Curves {
    const { scores } = this;
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a]);
    const curve = (name: keyof typeof CURVES) => [name, this.curve(order, CURVES[name])] as const;
    return Object.fromEntries((Object.keys(CURVES) as (keyof typeof CURVES)[]).map(curve)) as Curves;
  }

  private curve(
    order: readonly number[],
    { area, most }: { readonly area: Area; readonly most: number },
  ): Curve | undefined {
    const truths = this.truths[area];
    if (truths === 0) return undefined;
    const verdicts = this.verdicts[area];
    const rows = most === MOST_RESULTS ? order : order.filter((result) => this.ranks[result] < most);
    const [precisions, recalls]: [Float64Array[], number[]] = [[], []];
    for (const t of IOU_THRESHOLDS.keys()) {
      const precision = new Float64Array(rows.length);
      const recall = new Float64Array(rows.length);
      let [right, wrong] = [0, 0];
      for (let i = 0; i < rows.length; i++) {
        const verdict = verdicts[rows[i]];
        if (verdict & rightAt(t)) right++;
        else if (verdict & wrongAt(t)) wrong++;
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
}
