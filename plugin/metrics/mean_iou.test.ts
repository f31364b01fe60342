/** Tests mean IoU against values computed by hand. */
import fc from 'fast-check';
import t from 'tap';
import { ConfusionMatrix, evaluateSegmenter } from '../index.js';

/** 3 x 3 pixels of 4 classes, of which class 3 does not occur; one pixel is ignored. */
const TRUTH = [0, 0, 0, 1, 1, 1, 2, 2, 255];
const PREDICTION = [0, 0, 1, 1, 1, 2, 2, 2, 0];

t.test('IoU of each class, their mean, and the share of right pixels', (t) => {
  const matrix = new ConfusionMatrix(4);
  matrix.add(TRUTH, PREDICTION);
  const { classIoU, meanIoU, classAccuracy, meanAccuracy, pixelAccuracy, pixels } = matrix.quality();
  t.same(classIoU, [2 / 3, 2 / 4, 2 / 3, null], 'class 3 is in neither, and no part of the mean');
  t.equal(meanIoU, (2 / 3 + 2 / 4 + 2 / 3) / 3);
  t.same(classAccuracy, [2 / 3, 2 / 3, 1, null]);
  t.equal(meanAccuracy, (2 / 3 + 2 / 3 + 1) / 3);
  t.equal(pixelAccuracy, 6 / 8);
  t.equal(pixels, 8);
  t.same([...matrix.counts], [2, 1, 0, 0, 0, 2, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0]);
  t.end();
});

t.test('a class that is only predicted counts with 0; sums go over all images', (t) => {
  const matrix = new ConfusionMatrix(2, { ignoreIndex: -1 });
  matrix.add(Int32Array.of(0, 0, -1), Uint16Array.of(0, 1, 1));
  t.same(matrix.quality().classIoU, [1 / 2, 0]);
  t.same(matrix.quality().classAccuracy, [1 / 2, null], 'a class that is nowhere true has no accuracy');
  matrix.add([0, 1, 1], [0, 1, 1]);
  t.same(matrix.quality().classIoU, [2 / 3, 2 / 3]);
  t.same(new ConfusionMatrix(2).quality().classIoU, [null, null]);
  t.ok(Number.isNaN(new ConfusionMatrix(2).quality().meanIoU));
  t.end();
});

t.test('what makes no sense changes no count', (t) => {
  const matrix = new ConfusionMatrix(2);
  t.throws(() => matrix.add([0, 1], [0]), { message: /1 predicted pixels, expected 2/ });
  for (const [truth, prediction] of [
    [2, 0],
    [0, 2],
    [-1, 0],
    [0.5, 0],
  ]) {
    t.throws(() => matrix.add([0, truth], [0, prediction]), { message: /pixel 1 is .*, expected 0 to 1/ });
  }
  t.equal(matrix.quality().pixels, 0);
  t.throws(() => new ConfusionMatrix(0), { message: /classes is 0/ });
  t.end();
});

t.test('counts of several matrices are added, such as those of other threads', async (t) => {
  const pixel = fc.tuple(fc.integer({ min: -1, max: 3 }), fc.nat(3));
  fc.assert(
    fc.property(fc.array(fc.array(pixel, { maxLength: 30 }), { maxLength: 5 }), (images) => {
      const [whole, sum] = [0, 1].map(() => new ConfusionMatrix(4, { ignoreIndex: -1 }));
      for (const pixels of images) {
        const [truth, prediction] = [0, 1].map((i) => pixels.map((pixel) => pixel[i]));
        whole.add(truth, prediction);
        const part = new ConfusionMatrix(4, { ignoreIndex: -1 });
        part.add(truth, prediction);
        sum.addEntries(part.entries());
      }
      return String(whole.counts) === String(sum.counts);
    }),
  );
  const matrix = new ConfusionMatrix(2);
  for (const [entries, message] of [
    [[0, 1], /2 numbers, expected threes/],
    [[0, 0, 1, 0, 2, 1], /entry 4 is 2, expected an integer from 0 to 1/],
    [[0, 0, -1], /entry 2 is -1/],
  ] as const) {
    t.throws(() => matrix.addEntries(entries), { message });
  }
  t.equal(matrix.quality().pixels, 0);
});

t.test('a segmenter over images', async (t) => {
  const maps = [Uint16Array.of(0, 1), Uint16Array.of(1, 1)];
  const segmenter = {
    metadata: { architecture: { classes: 2 } },
    segment: async (image: { width: number }) => ({ classMap: maps[image.width] }),
  } as unknown as Parameters<typeof evaluateSegmenter>[0];
  const image = (index: number) => ({ width: index, height: 1, data: new Uint8Array(0) });
  const images = [
    { image: image(0), classMap: [0, 1] },
    { image: image(1), classMap: [0, 255] },
  ];
  t.same((await evaluateSegmenter(segmenter, images)).classIoU, [1 / 2, 1 / 2]);
  await t.rejects(evaluateSegmenter(segmenter, [{ image: image(0), classMap: [0] }]), {
    message: /2 predicted pixels, expected 1/,
  });
});
