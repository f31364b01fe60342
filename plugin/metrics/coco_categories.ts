/** Maps the classes of a detector to the categories of COCO files. */
import { quote } from '../models/checks.js';
import type { CocoCategory } from './coco_annotations.js';

export interface CategoryOrder {
  /** Category id of each class. */
  readonly ids: readonly number[];
  /** How the mapping was determined, for display. */
  readonly statement: string;
}

/** COCO category ids without images: there are 90 ids for 80 classes. */
const COCO_GAPS = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83];
const COCO_IDS = Array.from({ length: 90 }, (_, i) => i + 1).filter((id) => !COCO_GAPS.includes(id));

/** Category ids without an annotation file: COCO's for its 80 classes, otherwise counted from 1. */
export function usualCategoryIds(classNames: readonly string[]): readonly number[] {
  const isCoco =
    classNames.length === COCO_IDS.length && classNames[0] === 'person' && classNames[79] === 'toothbrush';
  return isCoco ? COCO_IDS : classNames.map((_, i) => i + 1);
}

/**
 * Maps the classes of a model to the categories of a file: by name, as in mmdetection; otherwise, if there are equally many
 * and no name contradicts it, by ascending id.
 * @throws {Error} one line, if the mapping cannot be determined.
 */
export function categoryOrder(
  file: string,
  categories: readonly CocoCategory[],
  classNames: readonly string[],
): CategoryOrder {
  const known = new Map<string, number>();
  for (const { id, name } of categories) {
    if (known.has(name) && classNames.includes(name)) {
      throw new Error(`${file}: the categories ${known.get(name)} and ${id} are both named ${quote(name)}`);
    }
    known.set(name, id);
  }
  const ids = classNames.map((name) => known.get(name));
  const unknown = ids.indexOf(undefined);
  if (unknown < 0 && new Set(ids).size === ids.length) {
    const left = categories.length - ids.length;
    const rest = left === 0 ? '' : `; ${left} of the file are not classes of the model and left out`;
    return { ids: ids as number[], statement: `categories by the names of the model${rest}` };
  }
  const inOrder = categories.map(({ id }) => id).sort((a, b) => a - b);
  const isInOrder = ids.every((id, i) => id === undefined || id === inOrder[i]);
  if (categories.length === classNames.length && isInOrder) {
    return { ids: inOrder, statement: 'categories in the order of their ids; the model names others' };
  }
  throw new Error(
    `${file} has ${categories.length} categories, the model ${classNames.length} classes, of which ` +
      `${quote(classNames[Math.max(0, unknown)])} is not among them`,
  );
}
