/** Tests COCO's metrics against pycocotools' values (fixtures/coco). */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { fixtureFiles, fixturePath } from '../../testing/fixtures.js';
import { encodePolygons } from '../image/fill_polygons.js';
import { decodeRle, type RunLengths } from '../image/mask.js';
import { type CocoEvaluation, CocoEvaluator } from './coco.js';
import { readCocoAnnotations } from './coco_annotations.js';
import type { CocoResult } from './coco_matching.js';

const read = (file: string) => JSON.parse(readFileSync(fixturePath(file) as string, 'utf8'));

interface PolygonCase {
  readonly note: string;
  readonly polygons: number[][];
  readonly area: number;
  readonly rle: RunLengths;
}

t.test('polygons have the same pixels', (t) => {
  const cases: PolygonCase[] = read('coco/polygons.json');
  t.ok(cases.length > 50);
  for (const { note, polygons, area, rle } of cases) {
    const [height, width] = rle.size;
    const filled = encodePolygons(polygons, { width, height });
    t.same(filled, rle, note);
    t.equal(
      decodeRle(filled).reduce((sum, value) => sum + value, 0),
      area,
      `${note}: area`,
    );
  }
  t.end();
});

type Expected = Record<string, number> & {
  readonly perThreshold: number[];
  readonly categories: Record<string, number>;
};

t.test('scores of data sets', (t) => {
  const files = fixtureFiles('coco', /^evaluation_/);
  t.equal(files.length, 4);
  for (const file of files) {
    const { truth, results, bbox, segm } = read(file);
    const { images, categories } = readCocoAnnotations(file, JSON.stringify(truth));
    t.equal(categories.length, truth.categories.length);
    for (const [compare, expected] of [
      ['boxes', bbox],
      ['masks', segm],
    ] as const) {
      const evaluator = new CocoEvaluator({ compare });
      for (const image of images) {
        evaluator.add(
          image.annotations(),
          (results as CocoResult[]).filter(({ image_id }) => image_id === image.id),
        );
      }
      compareScores(t, `${file}, ${compare}`, evaluator.evaluation(), expected);
    }
  }
  t.end();
});

function compareScores(t: Test, name: string, scores: CocoEvaluation, expected: Expected): void {
  const { perThreshold, categories, ...means } = expected;
  const near = (given: number | undefined, value: number, what: string) =>
    t.ok(Math.abs((given ?? Number.NaN) - value) < 1e-12, `${name}: ${what} is ${given}, expected ${value}`);
  for (const [what, value] of Object.entries(means)) near(scores[what as 'AP'], value, what);
  for (const [i, value] of perThreshold.entries()) near(scores.perThreshold[i], value, `threshold ${i}`);
  for (const [id, value] of Object.entries(categories)) {
    // The evaluator does not know a category without objects and results.
    near(scores.categories.get(Number(id))?.AP ?? -1, value, `category ${id}`);
  }
}
