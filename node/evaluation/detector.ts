/** Evaluates a detector on images with COCO annotations. */
import { join } from 'node:path';
import { type CocoEvaluation, CocoEvaluator, type CocoScores } from '../../plugin/metrics/coco.js';
import {
  type CocoCategory,
  type CocoImage,
  readCocoAnnotations,
} from '../../plugin/metrics/coco_annotations.js';
import { categoryOrder } from '../../plugin/metrics/coco_categories.js';
import { MAX_JSON_CHARACTERS } from '../../plugin/models/bounded_json.js';
import { entriesOf } from '../data/folder.js';
import { readSmallFile } from '../file_source.js';
import type { CocoImageInput, FoundObjects } from '../many_images/tasks/evaluate_objects.js';
import { columns, type Evaluation, type EvaluationResult, labelsOf } from './evaluation.js';
import type { ModelDescription } from './model_description.js';

/**
 * @param annotations a file such as `instances_val2017.json`
 * @param folder of the images
 * @throws {Error} one line, if they cannot be read, or the mapping of categories to classes cannot be determined
 */
export async function evaluateCocoFiles(
  annotations: string,
  folder: string,
  model: ModelDescription,
): Promise<Evaluation<CocoImageInput, FoundObjects>> {
  const data = readCocoAnnotations(annotations, await readSmallFile(annotations, MAX_JSON_CHARACTERS));
  await entriesOf(folder);
  const names = labelsOf(model);
  const { ids, statement } = categoryOrder(annotations, data.categories, names);
  const known = new Set(ids);
  const hasMasks = data.masks === data.annotations;
  const boxes = new CocoEvaluator({ compare: 'boxes' });
  const masks = hasMasks ? new CocoEvaluator({ compare: 'masks' }) : undefined;
  const images = new Map(data.images.map((image) => [image.id, image]));
  const without = `; masks are not compared, as ${data.annotations - data.masks} of ${data.annotations} objects have none`;
  return {
    task: { kind: 'evaluate-objects', options: { masks: hasMasks, categories: ids } },
    inputs: data.images.map(({ id, fileName, width, height }) => ({
      file: join(folder, fileName),
      id,
      width,
      height,
    })),
    order: `${statement}${hasMasks ? '' : without}`,
    add: ({ results }, { id }) => {
      const truths = (images.get(id) as CocoImage)
        .annotations()
        .filter(({ category_id }) => known.has(category_id));
      // Masks first, as they can fail: an image counts in both measures or in neither.
      masks?.add(truths, results);
      boxes.add(truths, results);
    },
    result: () => {
      const categories = data.categories.filter(({ id }) => known.has(id));
      return resultOf(boxes.evaluation(), masks?.evaluation(), categories);
    },
  };
}

/** Printed scores, in the order of pycocotools. */
const SCORES: readonly (keyof CocoScores)[] = [
  ...(['AP', 'AP50', 'AP75', 'APsmall', 'APmedium', 'APlarge'] as const),
  ...(['AR1', 'AR10', 'AR100', 'ARsmall', 'ARmedium', 'ARlarge'] as const),
];

function resultOf(
  boxes: CocoEvaluation,
  masks: CocoEvaluation | undefined,
  categories: readonly CocoCategory[],
): EvaluationResult {
  const kinds = { boxes, ...(masks ? { masks } : {}) };
  const each = <T>(of: (evaluation: CocoEvaluation) => T) =>
    Object.fromEntries(Object.entries(kinds).map(([kind, evaluation]) => [kind, of(evaluation)]));
  return {
    scores: {
      ...each((evaluation) => ({
        ...Object.fromEntries(SCORES.map((name) => [name, orNothing(evaluation[name])])),
        perThreshold: evaluation.perThreshold.map(orNothing),
      })),
      categories: categories.map(({ id, name }) => ({
        id,
        name,
        ...each((evaluation) => orNothing(evaluation.categories.get(id)?.AP ?? -1)),
      })),
    },
    lines: [
      ...columns([
        [
          '',
          Object.keys(kinds)
            .map((kind) => kind.padStart(8))
            .join(''),
        ],
        ...SCORES.map((name) => {
          const values = Object.values(kinds).map((evaluation) => shown(evaluation[name]).padStart(8));
          return [name, values.join('')] as const;
        }),
      ]),
    ],
  };
}

/** COCO's -1 means that there are no such objects. */
function orNothing(score: number): number | null {
  return score < 0 ? null : score;
}

function shown(score: number): string {
  return score < 0 ? '-' : score.toFixed(3);
}
