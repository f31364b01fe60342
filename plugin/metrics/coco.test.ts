/** Tests COCO's average precision and recall against values computed by hand. */
import t from 'tap';
import { encodeRle } from '../image/mask.js';
import { evaluateCoco } from './coco.js';
import type { CocoAnnotation, CocoResult } from './coco_matching.js';

type Box = readonly [number, number, number, number];

const object = (bbox: Box, more: Partial<CocoAnnotation> = {}): CocoAnnotation => ({
  image_id: 1,
  category_id: 1,
  bbox,
  ...more,
});
const result = (score: number, bbox: Box, more: Partial<CocoResult> = {}): CocoResult => ({
  image_id: 1,
  category_id: 1,
  score,
  bbox,
  ...more,
});
/** The denominators of precisions contain the machine epsilon. */
const near = (given: number | undefined, expected: number) =>
  Math.abs((given ?? Number.NaN) - expected) < 1e-12;

const A: Box = [0, 0, 40, 40];
const B: Box = [60, 60, 50, 50];
const NOWHERE: Box = [150, 0, 40, 40];

t.test('precision at 101 recalls', (t) => {
  const found = [result(0.7, B), result(0.9, A), result(0.8, NOWHERE)];
  const scores = evaluateCoco([object(A), object(B)], found);
  // Recalls 1/2, 1/2, 1 and precisions 1, 1/2, 2/3: 1 up to recall 0.5, 2/3 beyond, since the precision curve is made
  // non-increasing from the right.
  for (const ap of [scores.AP, scores.AP50, scores.AP75, scores.APmedium]) {
    t.ok(near(ap, (51 + 50 * (2 / 3)) / 101), String(ap));
  }
  t.same([scores.AR1, scores.AR10, scores.AR100, scores.ARmedium], [0.5, 1, 1, 1]);
  t.same([scores.APsmall, scores.APlarge, scores.ARsmall, scores.ARlarge], [-1, -1, -1, -1], 'no object');
  t.end();
});

t.test('thresholds of the overlap', (t) => {
  // Overlap 0.78: enough for the thresholds 0.5, 0.55 ... 0.75, but not for 0.8.
  const scores = evaluateCoco([object([0, 0, 100, 100])], [result(0.5, [0, 0, 100, 78])]);
  t.ok(near(scores.AP, 0.6) && near(scores.AP50, 1) && near(scores.AP75, 1) && near(scores.AR1, 0.6));
  const exact = evaluateCoco([object([0, 0, 100, 100])], [result(0.5, [0, 0, 100, 50])]);
  t.ok(near(exact.AP, 0.1), 'an overlap of 0.5 is enough for 0.5');
  t.end();
});

t.test('each object is found once, by the best result', (t) => {
  const twice = evaluateCoco([object(A)], [result(0.9, A), result(0.8, A)]);
  t.ok(near(twice.AP, 1), 'the second is wrong, behind full recall');
  const worse = evaluateCoco([object(A)], [result(0.8, [0, 0, 40, 39]), result(0.9, NOWHERE)]);
  t.ok(near(worse.AP50, 0.5));
  // The first of equal scores gets the object that both overlap most, and the second another one.
  const [left, right]: Box[] = [
    [0, 0, 10, 10],
    [4, 0, 10, 10],
  ];
  const both = evaluateCoco([object(left), object(right)], [result(0.5, [1, 0, 10, 10]), result(0.5, left)]);
  t.ok(near(both.AP50, 51 / 101), 'the second overlaps the object that is left by 60 / 140 alone');
  const other = evaluateCoco([object(left), object(right)], [result(0.5, left), result(0.5, right)]);
  t.ok(near(other.AP, 1));
  t.end();
});

t.test('images, categories', (t) => {
  const truths = [object(A), object(A, { image_id: 2 }), object(A, { category_id: 7 })];
  const found = [result(0.9, A), result(0.8, A, { image_id: 3 }), result(0.7, A, { image_id: 2 })];
  const scores = evaluateCoco(truths, found);
  const first = (51 + 50 * (2 / 3)) / 101;
  t.ok(near(scores.AP, first / 2), 'mean over the categories that have objects');
  t.same([...scores.categories.keys()], [1, 7]);
  t.ok(near(scores.categories.get(1)?.AP ?? 0, first));
  t.equal(scores.categories.get(7)?.AP, 0);
  t.equal(evaluateCoco(truths, [result(0.9, A, { category_id: 3 })]).categories.get(3)?.AP, -1);
  t.equal(evaluateCoco([], []).AP, -1);
  t.end();
});

t.test('crowds count neither way', (t) => {
  const crowd = object([0, 0, 100, 100], { iscrowd: 1 });
  // Both lie in the crowd; by intersection over union their overlap would be a quarter of the lowest threshold.
  const found = [result(0.9, [0, 0, 20, 20]), result(0.8, [50, 50, 20, 20]), result(0.7, NOWHERE)];
  const scores = evaluateCoco([object(NOWHERE), crowd], found);
  t.ok(near(scores.AP, 1));
  t.equal(evaluateCoco([crowd], found).AP, -1, 'a crowd is nothing to be found');
  const preferred = evaluateCoco([crowd, object([0, 0, 20, 16])], [result(0.9, [0, 0, 20, 20])]);
  t.ok(near(preferred.AP, 0.7), 'an object goes before a crowd that is overlapped more');
  t.end();
});

t.test('sizes', (t) => {
  const [small, large]: Box[] = [
    [0, 0, 20, 20],
    [50, 50, 100, 100],
  ];
  const found = [result(0.9, large), result(0.8, small), result(0.7, [0, 0, 5, 5]), result(0.6, A)];
  const scores = evaluateCoco([object(small), object(large)], found);
  t.ok(near(scores.APsmall, 1) && near(scores.APlarge, 1) && scores.APmedium === -1);
  t.same([scores.ARsmall, scores.ARlarge], [1, 1]);
  const wrong = evaluateCoco([object(small)], [result(0.9, [0, 30, 10, 10]), result(0.8, small)]);
  t.ok(near(wrong.APsmall, 0.5), 'a wrong result of that size counts');
  const larger = evaluateCoco([object(small)], [result(0.9, large), result(0.8, small)]);
  t.ok(near(larger.APsmall, 1), 'one of another size does not');
  const stated = evaluateCoco([object(small, { area: 2000 })], [result(0.9, small)]);
  t.ok(stated.APsmall === -1 && near(stated.APmedium, 1), 'the stated area decides');
  t.end();
});

t.test('the best 100 results of an image and a category', (t) => {
  const wrong = Array.from({ length: 100 }, () => result(0.9, NOWHERE));
  t.equal(evaluateCoco([object(A)], [...wrong, result(0.1, A)]).AR100, 0);
  t.ok(near(evaluateCoco([object(A)], [...wrong.slice(1), result(0.1, A)]).AR100, 1));
  t.equal(evaluateCoco([object(A)], [...wrong, result(0.1, A, { image_id: 2 })]).AR100, 0);
  t.end();
});

t.test('masks', (t) => {
  /** A rectangle in an image of 200 x 160 pixels. */
  const mask = ([left, top, width, height]: Box) =>
    encodeRle(
      { left, top, width, height, data: new Uint8Array(width * height).fill(1) },
      { width: 200, height: 160 },
    );
  const truth = object(A, { segmentation: mask(A) });
  const found = result(0.9, NOWHERE, { segmentation: mask([0, 0, 30, 40]) });
  const scores = evaluateCoco([truth], [found], { compare: 'masks' });
  t.ok(near(scores.AP, 0.6) && near(scores.APmedium, 0.6), 'of the masks alone: 0.75');
  t.equal(evaluateCoco([truth], [found]).AP, 0, 'of the boxes');
  const counts = [30 * 160, 40, 200 * 160 - 30 * 160 - 40];
  const narrow = result(0.9, A, { segmentation: { size: [160, 200], counts } });
  const column = object([30, 0, 1, 40], { segmentation: mask([30, 0, 1, 40]) });
  t.ok(near(evaluateCoco([column], [narrow], { compare: 'masks' }).AP, 1), 'counts as numbers');
  for (const [given, message] of [
    [result(0.9, A), /result of image 1 has no segmentation/],
    [
      result(0.9, A, { segmentation: { size: [1, 1], counts: [1] } }),
      /mask is of \[1,1\] pixels, its image's of \[160,200\]/,
    ],
    [
      result(0.9, A, { segmentation: { size: [160, 200], counts: [1] } }),
      /run lengths of 1 pixels, expected 32000/,
    ],
    [result(0.9, A, { segmentation: [[0, 0, 1, 1]] as never }), /not run lengths/],
  ] as const) {
    t.throws(() => evaluateCoco([truth], [given], { compare: 'masks' }), message);
  }
  t.throws(() => evaluateCoco([truth], [{ ...found, bbox: undefined }]), /has no bbox/);
  t.throws(() => evaluateCoco([truth], [result(0.9, [0, 0, Number.NaN, 1])]), /the bbox \[0,0,NaN,1\]/);
  t.throws(() => evaluateCoco([truth], [result(Number.NaN, A)]), /score of a result of image 1 is NaN/);
  t.throws(() => evaluateCoco([], [], { compare: 'pixels' as never }), /compare is "pixels"/);
  t.end();
});
