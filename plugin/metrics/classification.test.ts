/** Tests accuracy and calibration against their definitions. */
import fc from 'fast-check';
import t from 'tap';
import { Calibration } from './calibration.js';
import { ClassifierEvaluator } from './classification.js';

const CLASSES = 8;

/** Images with a label and the probabilities of all classes. */
const images = fc.array(
  fc.record({
    label: fc.nat(CLASSES - 1),
    probabilities: fc
      .array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: CLASSES, maxLength: CLASSES })
      .map((values) => values.map((value) => value / values.reduce((sum, each) => sum + each, 0))),
  }),
  { minLength: 1, maxLength: 60 },
);

const ranked = (probabilities: readonly number[]) =>
  probabilities
    .map((probability, index) => ({ index, probability }))
    .sort((a, b) => b.probability - a.probability || a.index - b.index);
const near = (a: number, b: number) => Math.abs(a - b) < 1e-12;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

t.test('top-1, top-5, mean of classes', async () => {
  fc.assert(
    fc.property(images, (images) => {
      const evaluator = new ClassifierEvaluator(CLASSES);
      for (const { label, probabilities } of images) {
        evaluator.add(label, ranked(probabilities).slice(0, 5));
      }
      const quality = evaluator.quality();
      /** Number of classes that are more probable than the label. */
      const places = images.map(
        ({ label, probabilities }) =>
          probabilities.filter((value, i) => {
            const own = probabilities[label];
            return value > own || (value === own && i < label);
          }).length,
      );
      const classes = [...new Set(images.map(({ label }) => label))];
      const ofClasses = classes.map((index) =>
        mean(places.filter((_, i) => images[i].label === index).map((place) => Number(place === 0))),
      );
      return (
        quality.images === images.length &&
        near(quality.top1, mean(places.map((place) => Number(place < 1)))) &&
        near(quality.top5, mean(places.map((place) => Number(place < 5)))) &&
        near(quality.meanClassAccuracy, mean(ofClasses)) &&
        classes.every((index, i) => near(quality.classAccuracy[index] as number, ofClasses[i]))
      );
    }),
  );
});

t.test('expected calibration error', async () => {
  const predictions = fc.array(
    fc.tuple(
      fc.oneof(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(15).map((k) => k / 15),
      ),
      fc.boolean(),
    ),
    { minLength: 1, maxLength: 80 },
  );
  fc.assert(
    fc.property(predictions, fc.integer({ min: 1, max: 20 }), (predictions, bins) => {
      const calibration = new Calibration(bins);
      for (const [confidence, isRight] of predictions) calibration.add(confidence, isRight);
      const quality = calibration.quality();
      let error = 0;
      let largest = 0;
      for (const { from, to, count, accuracy, confidence } of quality.bins) {
        // The lowest bin includes 0. The product of a float and the number of bins may be rounded up: this selects exactly
        // its bin.
        const own = predictions.filter(
          ([value]) => Math.max(0, Math.ceil(value * bins) - 1) === Math.round(from * bins),
        );
        if (own.length !== count || (own.length === 0) !== (accuracy === null)) return false;
        if (own.length === 0) continue;
        if (own.some(([value]) => value > to + 1e-12 || value < from - 1e-12)) return false;
        const distance = Math.abs(
          mean(own.map(([value]) => value)) - mean(own.map(([, right]) => Number(right))),
        );
        if (!near(Math.abs((confidence as number) - (accuracy as number)), distance)) return false;
        error += (distance * own.length) / predictions.length;
        largest = Math.max(largest, distance);
      }
      return near(quality.expectedError, error) && near(quality.largestError, largest);
    }),
  );
});

t.test('by hand: 0.9 and right, 0.9 and wrong, 0.3 and right, in five bins', async (t) => {
  const calibration = new Calibration(5);
  for (const [confidence, isRight] of [
    [0.9, true],
    [0.9, false],
    [0.3, true],
    [1 + 1e-7, true],
  ] as const) {
    calibration.add(confidence, isRight);
  }
  const { expectedError, largestError, bins } = calibration.quality();
  const last = Math.abs((0.9 + 0.9 + 1) / 3 - 2 / 3);
  t.ok(near(expectedError, (3 * last + 0.7) / 4) && near(largestError, 0.7));
  t.same(
    bins.map(({ count }) => count),
    [0, 1, 0, 0, 3],
  );
  t.same([bins[0].accuracy, bins[0].confidence], [null, null]);
  t.ok(Number.isNaN(new Calibration().quality().expectedError));
  t.throws(() => calibration.add(1.1, true), { message: /confidence is 1.1, expected a number from 0 to/ });
  t.throws(() => calibration.add(Number.NaN, true), { message: /confidence is NaN/ });
  t.throws(() => new Calibration(0), { message: /bins is 0/ });
});

t.test('what makes no sense changes nothing', async (t) => {
  const evaluator = new ClassifierEvaluator(3);
  const all = ranked([0.2, 0.5, 0.3]);
  for (const [label, predictions, message] of [
    [3, all, /the class of the image is 3, expected an integer from 0 to 2/],
    [-1, all, /is -1/],
    [0, all.slice(0, 2), /predictions is an array of 2, expected at least 3/],
    [0, [{ index: 3, probability: 0.5 }, ...all], /the class of a prediction is 3/],
    [0, [{ index: 1, probability: 2 }, ...all], /confidence is 2/],
  ] as const) {
    t.throws(() => evaluator.add(label, predictions), { message });
  }
  t.equal(evaluator.quality().images, 0);
  evaluator.add(2, all);
  t.same([evaluator.quality().top1, evaluator.quality().top5], [0, 1]);
  t.same(evaluator.confusion().entries(), [2, 1, 1]);
});
