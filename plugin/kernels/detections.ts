/** Non-maximum suppression, proposals of a region proposal network and detections of a box head, on the host. */

import type { ClassDetections, NonMaxSuppression, RegionProposals } from '../ops/detections.js';
import type { HostArray, HostKernelArguments } from '../ops/kernels.js';
import { boxDecoder } from './boxes.js';
import { descending, type Suppress } from './suppression.js';

const f32 = Math.fround;

/** Candidate boxes with their scores and labels. */
class Candidates {
  readonly boxes: Float32Array;
  readonly scores: Float32Array;
  readonly labels: Int32Array;
  count = 0;

  constructor(most: number) {
    this.boxes = new Float32Array(4 * most);
    this.scores = new Float32Array(most);
    this.labels = new Int32Array(most);
  }

  /** Returns the indices of the boxes that remain. */
  suppressed(suppress: Suppress, threshold: number, most: number): Int32Array {
    const [boxes, scores] = [this.boxes.subarray(0, 4 * this.count), this.scores.subarray(0, this.count)];
    return suppress(boxes, scores, { threshold, most, labels: this.labels.subarray(0, this.count) });
  }

  boxOf(index: number): Float32Array {
    return this.boxes.subarray(4 * index, 4 * index + 4);
  }
}

/** @param suppress non-maximum suppression of the backend. */
export function nonMaxSuppression(
  { inputs, outputs, attributes, written }: HostKernelArguments<typeof NonMaxSuppression>,
  suppress: Suppress,
): void {
  const [boxes, scores] = [inputs.boxes as Float32Array, inputs.scores as Float32Array];
  const { iouThreshold: threshold, maxOutput: most } = attributes;
  const keep = suppress(boxes, scores, { threshold, most, labels: inputs.labels });
  outputs.keep.set(keep);
  written(keep.length);
}

/** @param suppress non-maximum suppression of the backend. */
export function regionProposals(
  { inputs, outputs, attributes, written }: HostKernelArguments<typeof RegionProposals>,
  suppress: Suppress,
): void {
  const { anchors, objectness, deltas, imageShape } = inputs;
  const levelSizes = inputs.levelSizes as Int32Array;
  const { perLevel, minSize, iouThreshold, maxOutput } = attributes;
  const decode = boxDecoder({ ...attributes, imageShape });
  const scores = (objectness as Float32Array).map((logit) => 1 / f32(1 + f32(Math.exp(-logit))));
  const candidates = new Candidates(levelSizes.reduce((total, size) => total + Math.min(size, perLevel), 0));
  for (let level = 0, first = 0; level < levelSizes.length; first += levelSizes[level++]) {
    const size = levelSizes[level];
    const ofLevel = scores.subarray(first, first + size);
    const best = size > perLevel ? descending(ofLevel, perLevel) : ofLevel.keys();
    for (const index of best) {
      const { count, boxes } = candidates;
      const a = 4 * (first + index);
      decode(boxes, 4 * count, anchors, a, deltas, a);
      const [x1, y1, x2, y2] = candidates.boxOf(count);
      if (!(f32(x2 - x1) > minSize && f32(y2 - y1) > minSize)) continue;
      candidates.scores[count] = ofLevel[index];
      candidates.labels[count] = level;
      candidates.count++;
    }
  }
  const kept = candidates.suppressed(suppress, iouThreshold, maxOutput);
  kept.forEach((index, m) => {
    outputs.proposals.set(candidates.boxOf(index), 5 * m);
    outputs.proposals[5 * m + 4] = candidates.scores[index];
  });
  written(kept.length);
}

/** @param suppress non-maximum suppression of the backend. */
export function classDetections(
  { inputs, outputs, shapes, attributes, written }: HostKernelArguments<typeof ClassDetections>,
  suppress: Suppress,
): void {
  const { proposals, scores, deltas, imageShape, scaleFactor } = inputs;
  const [count] = shapes.proposals;
  const columns = shapes.scores[1];
  const perRow = shapes.deltas[1];
  const { scoreThreshold, iouThreshold, maxOutput } = attributes;
  const decode = boxDecoder({ ...attributes, imageShape });
  const threshold = f32(scoreThreshold);
  const candidates = new Candidates(countAbove(scores, threshold, count, columns));
  for (let k = 0; k < count; k++) {
    for (let label = 0; label + 1 < columns; label++) {
      const score = scores[k * columns + label];
      if (!(score > threshold)) continue;
      const at = candidates.count++;
      decode(candidates.boxes, 4 * at, proposals, 5 * k, deltas, k * perRow + (perRow > 4 ? 4 * label : 0));
      const box = candidates.boxOf(at);
      box.forEach((value, i) => {
        box[i] = value / scaleFactor[i];
      });
      candidates.scores[at] = score;
      candidates.labels[at] = label;
    }
  }
  const kept = candidates.suppressed(suppress, iouThreshold, maxOutput);
  kept.forEach((index, m) => {
    outputs.boxes.set(candidates.boxOf(index), 4 * m);
    outputs.scores[m] = candidates.scores[index];
    outputs.classes[m] = candidates.labels[index];
  });
  written(kept.length);
}

/** Counts the scores above the threshold in the first rows, without the last column. */
function countAbove(scores: HostArray, threshold: number, rows: number, columns: number): number {
  let count = 0;
  for (let k = 0; k < rows; k++) {
    for (let label = 0; label + 1 < columns; label++) if (scores[k * columns + label] > threshold) count++;
  }
  return count;
}
