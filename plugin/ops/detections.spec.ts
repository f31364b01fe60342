import { decoded, someBoxes } from './boxes.spec.js';
import type { Attributes } from './declaration.js';
import { ClassDetections, NonMaxSuppression, RegionProposals, SelectChannels } from './detections.js';
import { always, before, computing, mapped, without } from './spec/faults.js';
import type { Random } from './spec/random.js';
import { defineSpec, type Sample, type Values } from './spec/spec.js';
import { type CaseTensor, float32, int32 } from './spec/tensor.js';

const f = Math.fround;

/** Comparisons are in float32 on the host; boxes and scores contain rounding errors of float32. */
const hostTolerance = {
  float32: 2e-6,
  shader: 2e-6,
  reason: 'float32 on the host; samples keep clear of ties',
};

interface Candidate {
  readonly box: readonly number[];
  readonly score: number;
  readonly label: number;
}

interface Rules {
  readonly iouThreshold: number;
  readonly maxOutput: number;
  /** Equal scores: higher index first. */
  readonly lastFirst?: boolean;
  /** Dropped boxes suppress others too. */
  readonly transitive?: boolean;
  /** An overlap equal to the threshold suppresses too. */
  readonly inclusive?: boolean;
  /** As pixel ranges whose last pixel is included. */
  readonly plusOne?: boolean;
}

/**
 * Returns the indices of the boxes that remain, in the order of visits. Every pair is compared; compared values are rounded
 * to float32, as the op declares.
 */
function left(candidates: readonly Candidate[], rules: Rules): number[] {
  const {
    iouThreshold,
    maxOutput,
    lastFirst = false,
    transitive = false,
    inclusive = false,
    plusOne,
  } = rules;
  const largest = f(Math.max(...candidates.flatMap(({ box }) => box)) + 1);
  const boxes = candidates.map(({ box, label }) => box.map((at) => f(f(at) + f(label * largest))));
  const more = plusOne ? 1 : 0;
  const area = ([x1, y1, x2, y2]: readonly number[]) => f(f(x2 - x1 + more) * f(y2 - y1 + more));
  const overlaps = (a: readonly number[], b: readonly number[]) => {
    const width = Math.max(0, f(Math.min(a[2], b[2]) - Math.max(a[0], b[0]) + more));
    const height = Math.max(0, f(Math.min(a[3], b[3]) - Math.max(a[1], b[1]) + more));
    const inter = f(width * height);
    const iou = f(inter / f(f(area(a) + area(b)) - inter));
    return iou > f(iouThreshold) || (inclusive && iou === f(iouThreshold));
  };
  const order = candidates
    .map((_, i) => i)
    .sort((a, b) => candidates[b].score - candidates[a].score || (lastFirst ? b - a : a - b));
  const dropped = new Set<number>();
  order.forEach((better, position) => {
    if (dropped.has(better) && !transitive) return;
    for (const worse of order.slice(position + 1))
      if (overlaps(boxes[better], boxes[worse])) dropped.add(worse);
  });
  return order.filter((i) => !dropped.has(i)).slice(0, maxOutput);
}

const rowsOf = (values: Values, width: number) =>
  Array.from({ length: values.length / width }, (_, k) =>
    Array.from(values).slice(k * width, (k + 1) * width),
  );

const keepBy = (rules: Partial<Rules>) =>
  computing(({ inputs, attributes }) => ({
    keep: keep(inputs, { ...(attributes as unknown as Rules), ...rules }),
  }));

function keep(inputs: Readonly<Record<string, Values | undefined>>, rules: Rules): number[] {
  const { boxes, scores, labels } = inputs as Record<string, Values>;
  return left(
    rowsOf(boxes, 4).map((box, k) => ({ box, score: scores[k], label: labels?.[k] ?? 0 })),
    rules,
  );
}

export const nonMaxSuppressionSpec = defineSpec(NonMaxSuppression, {
  formula: ({ inputs, attributes }) => ({
    keep: keep(inputs, attributes),
  }),
  differentiable: [],
  samples: (random): Sample[] => {
    const few = (count: number) => random.tensor([count], () => random.integer(0, 4) / 4);
    return [
      {
        what: '70 boxes',
        inputs: { boxes: someBoxes(random, 70), scores: random.tensor([70]) },
        attributes: { iouThreshold: 0.3 },
      },
      {
        what: 'equal scores, labels',
        inputs: {
          boxes: someBoxes(random, 41),
          scores: few(41),
          labels: random.ints([41], () => random.integer(0, 2)),
        },
        attributes: { iouThreshold: 0.2 },
      },
      {
        what: 'the best of them',
        inputs: { boxes: someBoxes(random, 30), scores: random.tensor([30]) },
        attributes: { maxOutput: 6 },
      },
      {
        // Intersections of exactly a half and a third, boxes without area, nested boxes, a duplicate.
        what: 'on the threshold',
        inputs: {
          boxes: float32(
            [8, 4],
            [
              0, 0, 4, 4, 0, 0, 4, 2, 0, 2, 4, 6, 9, 9, 9, 9, 9, 9, 9, 9, 20, 20, 30, 30, 20, 20, 30, 30, 21,
              21, 29, 30,
            ].map(f),
          ),
          scores: float32([8], [8, 7, 6, 5, 4, 3, 2, 1]),
        },
        attributes: { iouThreshold: 0.5 },
      },
      {
        what: 'below zero, with labels',
        inputs: {
          boxes: float32([3, 4], [-9, -9, -1, -1, -9, -9, -1, -1, -9, -9, -1, -2]),
          scores: float32([3], [1, 3, 2]),
          labels: int32([3], [0, 1, 1]),
        },
      },
      { what: 'no boxes', inputs: { boxes: float32([0, 4], []), scores: float32([0], []) } },
    ];
  },
  faults: {
    'equal scores: the higher index first': keepBy({ lastFirst: true }),
    'boxes that were dropped drop others': keepBy({ transitive: true }),
    'the threshold itself is too much': keepBy({ inclusive: true }),
    'a box ends with its last pixel': keepBy({ plusOne: true }),
    'labels do not count': without('labels'),
    'all boxes are kept': always({ iouThreshold: 1 }),
    'there is no end of them': always({ maxOutput: 2 ** 20 }),
    'scores are taken in ascending order': mapped('scores', (score) => -score),
  },
  perf: {
    sample: ({ side }, random) => ({
      inputs: { boxes: someBoxes(random, side * side), scores: random.tensor([side * side]) },
      attributes: { iouThreshold: 0.7 },
    }),
  },
});

const image = int32([2], [70, 80]);

interface ProposalOptions extends Rules {
  readonly perLevel: number;
  readonly minSize: number;
  readonly stds: readonly number[];
  readonly maxRatio: number;
}

function proposed(inputs: Readonly<Record<string, Values>>, options: ProposalOptions): number[] {
  const { anchors, objectness, deltas, levelSizes, imageShape } = inputs;
  const [boxes, moves] = [rowsOf(anchors, 4), rowsOf(deltas, 4)];
  const candidates: Candidate[] = [];
  let first = 0;
  Array.from(levelSizes).forEach((size, label) => {
    const all = Array.from({ length: size }, (_, i) => first + i);
    const best = all.sort((a, b) => objectness[b] - objectness[a] || a - b).slice(0, options.perLevel);
    // A level with at most that many anchors keeps its order, which decides between equal scores.
    for (const a of size > options.perLevel ? best : best.sort((a, b) => a - b)) {
      const box = decoded(boxes[a], moves[a], options, imageShape);
      const isLarge = box[2] - box[0] > options.minSize && box[3] - box[1] > options.minSize;
      if (isLarge) candidates.push({ box, score: 1 / (1 + Math.exp(-objectness[a])), label });
    }
    first += size;
  });
  return left(candidates, options).flatMap((i) => [...candidates[i].box, candidates[i].score]);
}

const proposalsBy = (change: Partial<ProposalOptions>) =>
  computing(({ inputs, attributes }) => ({
    proposals: proposed(inputs, { ...(attributes as unknown as ProposalOptions), ...change }),
  }));

export const regionProposalsSpec = defineSpec(RegionProposals, {
  formula: ({ inputs, attributes }) => ({ proposals: proposed(inputs, attributes) }),
  tolerance: hostTolerance,
  differentiable: [],
  samples: (random): Sample[] => [
    proposalSample(random, 'three levels', [40, 12, 3], { perLevel: 25, iouThreshold: 0.1 }),
    proposalSample(random, 'small boxes are dropped', [30, 9], { minSize: 18, maxOutput: 4 }),
    proposalSample(random, 'nothing is left', [4], { minSize: 1000 }),
    proposalSample(random, 'no anchors', [0, 0], {}),
  ],
  faults: {
    'levels suppress each other': before(({ inputs }) => ({
      inputs: { ...inputs, levelSizes: Int32Array.of(inputs.objectness.length) },
    })),
    'all anchors of a level are looked at': always({ perLevel: 2 ** 20 }),
    'there is no end of them': always({ maxOutput: 2 ** 20 }),
    'small boxes are kept': always({ minSize: -1 }),
    'boxes that were dropped drop others': proposalsBy({ transitive: true }),
    'boxes leave the image': before(({ inputs }) => ({
      inputs: { ...inputs, imageShape: Int32Array.of(10000, 10000) },
    })),
  },
});

function proposalSample(
  random: Random,
  what: string,
  sizes: readonly number[],
  attributes: Attributes,
): Sample {
  const count = sizes.reduce((sum, size) => sum + size, 0);
  return {
    what,
    inputs: {
      anchors: someBoxes(random, count),
      objectness: random.tensor([count]),
      deltas: random.tensor([count, 4], () => 0.3 * random.normal()),
      levelSizes: int32([sizes.length], sizes),
      imageShape: image,
    },
    attributes: { stds: [1, 1, 0.5, 0.5], ...attributes },
  };
}

interface DetectionOptions extends Rules {
  readonly scoreThreshold: number;
  readonly stds: readonly number[];
  readonly maxRatio: number;
}

function detected(
  inputs: Readonly<Record<string, Values>>,
  shapes: Readonly<Record<string, readonly number[]>>,
  options: DetectionOptions,
) {
  const { proposals, scores, deltas, imageShape, scaleFactor } = inputs;
  const [[count, width], columns, perRow] = [shapes.proposals, shapes.scores[1], shapes.deltas[1]];
  const candidates: Candidate[] = [];
  for (let i = 0; i < count * (columns - 1); i++) {
    const [k, label] = [Math.floor(i / (columns - 1)), i % (columns - 1)];
    const score = scores[k * columns + label];
    if (!(score > f(options.scoreThreshold))) continue;
    const at = k * perRow + (perRow > 4 ? 4 * label : 0);
    const box = decoded(
      Array.from(proposals).slice(k * width, k * width + 4),
      Array.from(deltas).slice(at, at + 4),
      options,
      imageShape,
    );
    candidates.push({ box: box.map((value, axis) => value / scaleFactor[axis]), score, label });
  }
  const found = left(candidates, options).map((i) => candidates[i]);
  return {
    boxes: found.flatMap(({ box }) => box),
    scores: found.map(({ score }) => score),
    classes: found.map(({ label }) => label),
  };
}

export const classDetectionsSpec = defineSpec(ClassDetections, {
  formula: ({ inputs, shapes, attributes }) => detected(inputs, shapes, attributes),
  tolerance: hostTolerance,
  differentiable: [],
  samples: (random): Sample[] => [
    detectionSample(random, 'boxes by class', { count: 14, classes: 4, perRow: 16 }, { iouThreshold: 0.3 }),
    detectionSample(
      random,
      'the best of boxes for all classes',
      { count: 9, classes: 3, perRow: 4 },
      { maxOutput: 7 },
    ),
    // As after `RoiLevels`, which returns one row if there are no proposals.
    detectionSample(random, 'no proposals, one row', { count: 0, rows: 1, classes: 4, perRow: 16 }, {}),
    detectionSample(random, 'nothing is left', { count: 3, classes: 2, perRow: 8 }, { scoreThreshold: 1 }),
  ],
  faults: {
    'the background is a class': computing(({ inputs, shapes, attributes }) => {
      const { proposals, scores, deltas } = shapes;
      const wider = { proposals, scores: [scores[0], scores[1] + 1], deltas };
      const rows = rowsOf(inputs.scores, scores[1]).map((row) => [...row, 0]);
      const perRow =
        deltas[1] > 4 ? rowsOf(inputs.deltas, deltas[1]).map((row) => [...row, 0, 0, 0, 0]) : undefined;
      return detected(
        { ...inputs, scores: rows.flat(), deltas: perRow?.flat() ?? inputs.deltas },
        { ...wider, deltas: [deltas[0], perRow ? deltas[1] + 4 : 4] },
        attributes as unknown as DetectionOptions,
      );
    }),
    'boxes are not those of the original image': mapped('scaleFactor', () => 1),
    'every score is a candidate': always({ scoreThreshold: 0 }),
    'classes suppress each other': (correct) => (args) => {
      correct(args);
      const { boxes, scores, classes } = args.outputs;
      const all = rowsOf(boxes, 4).map((box, i) => ({ box, score: scores[i], label: 0 }));
      const kept = left(all, args.attributes as unknown as Rules);
      args.written(kept.length);
      classes.set(kept.map((i) => classes[i]));
    },
    'deltas are in pixels': always({ stds: [1, 1, 1, 1] }),
    'there is no end of them': always({ maxOutput: 2 ** 20 }),
  },
});

function detectionSample(
  random: Random,
  what: string,
  { count, rows = count, classes, perRow }: { count: number; rows?: number; classes: number; perRow: number },
  attributes: Attributes,
): Sample {
  // Scores differ by more than rounding errors.
  const drawn = Array.from({ length: rows * (classes + 1) }, (_, i) => (i + 1) / (rows * (classes + 1) + 1));
  const shuffled = drawn.map((score) => ({ score, at: random.next() })).sort((a, b) => a.at - b.at);
  const proposals: CaseTensor = someBoxes(random, count, 5);
  return {
    what,
    inputs: {
      proposals,
      scores: float32(
        [rows, classes + 1],
        shuffled.map(({ score }) => score),
      ),
      deltas: random.tensor([rows, perRow]),
      imageShape: image,
      scaleFactor: float32([4], [1.5, 1.25, 1.5, 1.25]),
    },
    attributes,
  };
}

export const selectChannelsSpec = defineSpec(SelectChannels, {
  formula: ({ inputs: { x, channels }, shapes }) => {
    const [, height, width, count] = shapes.x;
    const size = height * width;
    return {
      y: Float64Array.from({ length: channels.length * size }, (_, i) => {
        const channel = count === 1 ? 0 : channels[Math.floor(i / size)];
        return channel >= 0 && channel < count ? x[i * count + channel] : 0;
      }),
    };
  },
  tolerance: { float32: 0, shader: 0, reason: 'copies' },
  samples: (random): Sample[] => [
    { what: '3 of 4 maps', inputs: { x: random.tensor([4, 2, 3, 5]), channels: int32([3], [4, 0, 2]) } },
    { what: 'one channel', inputs: { x: random.tensor([2, 2, 3, 1]), channels: int32([2], [7, 0]) } },
    {
      what: 'none of one map',
      inputs: { x: random.tensor([1, 2, 3, 5]), channels: int32([0], []) },
      withoutGradient: true,
    },
  ],
  faults: {
    'it is always the first channel': mapped('channels', () => 0),
    'channels count from 1': mapped('channels', (channel) => channel - 1),
  },
});
