/** Tests the assignment of boxes against overlaps computed by hand. */
import t from 'tap';
import { RandomNumbers } from '../../random.js';
import { assignBoxes, BACKGROUND, IGNORED, sampleBoxes } from './assignment.js';

const boxes = (...rows: readonly (readonly number[])[]) => Float32Array.from(rows.flat());

/** Two adjacent objects of 10 x 10 pixels. */
const OBJECTS = boxes([0, 0, 10, 10], [10, 0, 20, 10]);
const RULE = { positive: 0.7, negative: 0.3, best: 0.3 };

t.test('assignBoxes: bounds of overlaps', (t) => {
  const given = boxes(
    [0, 0, 10, 10], // the first object itself
    [10, 0, 20, 7], // 0.7 of the second: the threshold is inclusive
    [0, 0, 10, 5], // 0.5 of the first: between the thresholds
    [0, 0, 3, 10], // 0.3 of the first: still between them
    [0, 0, 2, 10], // 0.2
    [4, 0, 15, 10], // 60 / 150 of the first, 50 / 160 of the second
    [30, 30, 40, 40], // nothing
    [5, 5, 5, 5], // without area
  );
  t.same(
    [...assignBoxes(given, OBJECTS, { positive: 0.7, negative: 0.3 })],
    [0, 1, IGNORED, IGNORED, BACKGROUND, IGNORED, BACKGROUND, BACKGROUND],
  );
  t.same(
    [...assignBoxes(given, OBJECTS, { positive: 0.4, negative: 0.4 })],
    [0, 1, 0, BACKGROUND, BACKGROUND, 0, BACKGROUND, BACKGROUND],
    'of two objects the one that is overlapped more',
  );
  t.end();
});

t.test('assignBoxes: the best boxes of an object that no box overlaps enough', (t) => {
  const given = boxes([0, 0, 10, 5], [0, 5, 10, 10], [0, 0, 10, 4], [10, 0, 20, 2]);
  t.same([...assignBoxes(given, OBJECTS, RULE)], [0, 0, IGNORED, BACKGROUND], 'all that are as good');
  const [first] = assignBoxes(boxes([0, 0, 20, 10]), OBJECTS, { positive: 0.5, negative: 0.3, best: 0.3 });
  t.equal(first, 1, 'the best box of two objects is the later one');
  const [kept] = assignBoxes(boxes([0, 0, 20, 10]), OBJECTS, { positive: 0.5, negative: 0.3 });
  t.equal(kept, 0, 'without such boxes the first of equal overlaps');
  t.end();
});

t.test('assignBoxes: nothing there', (t) => {
  t.same([...assignBoxes(boxes([0, 0, 1, 1]), boxes(), RULE)], [BACKGROUND]);
  t.same([...assignBoxes(boxes(), OBJECTS, RULE)], []);
  t.end();
});

t.test('sampleBoxes: counts', (t) => {
  const assigned = (objects: number, background: number, ignored = 5) =>
    Int32Array.from({ length: objects + background + ignored }, (_, i) =>
      i < objects ? i % 3 : i < objects + background ? BACKGROUND : IGNORED,
    );
  const rule = { count: 16, positives: 0.25 };
  for (const [objects, background, positives, negatives] of [
    [50, 50, 4, 12],
    [2, 50, 2, 14], // background fills the rest
    [50, 3, 4, 3], // objects do not fill the rest
    [0, 50, 0, 16],
    [3, 0, 3, 0],
  ]) {
    const all = assigned(objects, background);
    const sampled = sampleBoxes(all, rule, new RandomNumbers(1));
    t.same([sampled.positives.length, sampled.negatives.length], [positives, negatives]);
    t.ok(
      sampled.positives.every((k) => all[k] >= 0) && sampled.negatives.every((k) => all[k] === BACKGROUND),
    );
    for (const indices of [sampled.positives, sampled.negatives]) {
      t.ok(
        indices.every((k, i) => i === 0 || k > indices[i - 1]),
        'ascending, none twice',
      );
    }
  }
  t.end();
});

t.test('sampleBoxes: every box is as likely as any other, and a seed replays the choice', (t) => {
  const assigned = new Int32Array(10);
  const counts = new Int32Array(10);
  const random = new RandomNumbers(3);
  for (let i = 0; i < 2000; i++) {
    for (const k of sampleBoxes(assigned, { count: 4, positives: 0.5 }, random).positives) counts[k]++;
  }
  // 400 each on average, with a standard deviation of 18.
  t.ok(
    counts.every((count) => Math.abs(count - 400) < 80),
    String(counts),
  );
  const choose = (seed: number) => sampleBoxes(assigned, { count: 4, positives: 1 }, new RandomNumbers(seed));
  t.same(choose(7), choose(7));
  t.notSame(choose(7), choose(8));
  t.end();
});
