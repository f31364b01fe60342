/** Which category of COCO's files a class of a detector is. */
import { quote } from '../models/checks.js';
import type { CocoCategory } from './coco_annotations.js';

export interface CategoryOrder {
  /** Id of the category of each class. */
  readonly ids: readonly number[];
  /** How that was found out, for a person. */
  readonly statement: string;
}

/** COCO's ids of categories that none of its pictures has: 90 ids for 80 classes. */
const COCO_GAPS = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83];
const COCO_IDS = Array.from({ length: 90 }, (_, i) => i + 1).filter((id) => !COCO_GAPS.includes(id));

/** Ids of categories where there is no file of annotations: those of COCO for its 80 classes, else counted from 1 on. */
export function usualCategoryIds(classNames: readonly string[]): readonly number[] {
  const isCoco =
    classNames.length === COCO_IDS.length && classNames[0] === 'person' && classNames[79] === 'toothbrush';
  return isCoco ? COCO_IDS : classNames.map((_, i) => i + 1);
}

/**
 * The categories of a file for the classes of a model: those of the same names, as mmdetection has it; else, where there are
 * as many and no name says otherwise, those in the order of their ids.
 * @throws {Error} one line, when it cannot be said which is which
 */
export function categoryOrder(
  file: string,
  categories: readonly CocoCategory[],
  classNames: readonly string[],
): CategoryOrder {
  const known = new Map(categories.map(({ id, name }) => [name, id]));
  const ids = classNames.map((name) => known.get(name));
  const unknown = ids.indexOf(undefined);
  if (unknown < 0 && new Set(ids).size === ids.length) {
    const left = categories.length - ids.length;
    const rest = left === 0 ? '' : `; ${left} of the file are no classes of the model and left out`;
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
