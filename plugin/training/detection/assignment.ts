/** Assigns boxes to objects by overlap, and samples the boxes to train on, as mmdetection does. */
import { areasOf, overlap } from '../../kernels/suppression.js';
import type { RandomNumbers } from '../../random.js';

/** Label of a box that belongs to no object. */
export const BACKGROUND = -1;
/** Label of a box that is not trained on. */
export const IGNORED = -2;

/** Thresholds on the intersection over union of a box and the object that it overlaps most. */
export interface AssignmentRule {
  /** From this value on, the box is assigned to that object. */
  readonly positive: number;
  /** Below this value it is background; between the two it is ignored. */
  readonly negative: number;
  /**
   * Minimum overlap from which an object also gets the boxes that overlap it most, whatever they are assigned to; by default
   * this rule is not used.
   */
  readonly best?: number;
}

/** How many boxes of an image are sampled. */
export interface SamplingRule {
  /** Maximum number of boxes. */
  readonly count: number;
  /** Maximum fraction of boxes assigned to objects; background fills the rest. */
  readonly positives: number;
}

/** Indices of boxes, ascending. */
export interface SampledBoxes {
  readonly positives: Int32Array;
  readonly negatives: Int32Array;
}

/**
 * Returns the object of each box, `BACKGROUND` or `IGNORED` (mmdetection's MaxIoUAssigner).
 * @param boxes [K, 4] x1, y1, x2, y2
 * @param objects [G, 4]
 * @returns [K]
 */
export function assignBoxes(boxes: Float32Array, objects: Float32Array, rule: AssignmentRule): Int32Array {
  const [positive, negative] = [rule.positive, rule.negative].map(Math.fround);
  const [count, objectCount] = [boxes.length / 4, objects.length / 4];
  const all = new Float32Array(objects.length + boxes.length);
  all.set(objects);
  all.set(boxes, objects.length);
  const areas = areasOf(all);
  const largest = new Float32Array(count);
  const assigned = new Int32Array(count).fill(BACKGROUND);
  // For one object at a time: its overlaps with all boxes, and the boxes that overlap it most.
  const bestBoxes: number[][] = [];
  for (let g = 0; g < objectCount; g++) {
    let [most, best]: [number, number[]] = [0, []];
    for (let k = 0; k < count; k++) {
      const value = overlap(all, areas, g, objectCount + k);
      if (value > largest[k]) {
        largest[k] = value;
        assigned[k] = g;
      }
      if (value === most) best.push(k);
      else if (value > most) [most, best] = [value, [k]];
    }
    bestBoxes.push(rule.best !== undefined && most >= Math.fround(rule.best) ? best : []);
  }
  for (let k = 0; k < count; k++) {
    if (largest[k] < negative) assigned[k] = BACKGROUND;
    else if (!(largest[k] >= positive)) assigned[k] = IGNORED;
  }
  for (const [g, best] of bestBoxes.entries()) for (const k of best) assigned[k] = g;
  return assigned;
}

/** Samples assigned boxes at random (mmdetection's RandomSampler). */
export function sampleBoxes(
  assigned: Int32Array,
  { count, positives }: SamplingRule,
  random: RandomNumbers,
): SampledBoxes {
  const some = (isCandidate: (object: number) => boolean, most: number) => {
    const indices = Int32Array.from(assigned.keys()).filter((k) => isCandidate(assigned[k]));
    if (indices.length <= most) return indices;
    return random
      .permutation(indices.length)
      .subarray(0, most)
      .map((i) => indices[i])
      .sort();
  };
  const ofObjects = some((object) => object >= 0, Math.floor(count * positives));
  return {
    positives: ofObjects,
    negatives: some((object) => object === BACKGROUND, count - ofObjects.length),
  };
}
