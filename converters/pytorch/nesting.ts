// Checks the nesting of unpickled values: bounded and without cycles.

import { CheckpointError } from './errors.js';
import { MAX_NESTING } from './limits.js';
import { InertObject, PickleTuple, type PickleValue } from './pickle_values.js';

const EMPTY: readonly PickleValue[] = [];

function children(value: object): readonly PickleValue[] {
  if (Array.isArray(value)) return value;
  if (value instanceof PickleTuple) return value.items;
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  if (value instanceof Set) return [...value];
  return EMPTY;
}

interface Visit {
  readonly value: object;
  readonly items: readonly PickleValue[];
  next: number;
  height: number;
}

/**
 * Checks the values reachable from `root`: containers form no cycle and nest at most MAX_NESTING deep, so that plain recursion
 * over them terminates. The contents of inert objects are checked separately, since configuration objects may refer to their
 * parents. Shared values are visited once: time is linear, however often the memo repeats them.
 * @throws CheckpointError 'limit' (too deep), 'pickle-format' (a container that contains itself)
 */
export function checkNesting(root: PickleValue, offset: number): void {
  const OPEN = -1;
  const heights = new Map<object, number>();
  const roots: PickleValue[] = [root];
  const visits: Visit[] = [];

  const enter = (value: PickleValue): number => {
    if (value === null || typeof value !== 'object') return 0;
    const height = heights.get(value);
    if (height === OPEN) {
      throw new CheckpointError('pickle-format', 'a container of the pickle holds itself', offset);
    }
    if (height !== undefined) return height;
    if (value instanceof InertObject) {
      heights.set(value, 0);
      for (const part of value.parts) roots.push(part);
      return 0;
    }
    const items = children(value);
    if (items.length === 0) {
      heights.set(value, 1);
      return 1;
    }
    heights.set(value, OPEN);
    visits.push({ value, items, next: 0, height: 1 });
    return 0;
  };

  for (let start = roots.pop(); start !== undefined; start = roots.pop()) {
    enter(start);
    while (visits.length > 0) {
      const visit = visits[visits.length - 1];
      if (visit.next < visit.items.length) {
        const before = visits.length;
        const height = enter(visit.items[visit.next]);
        // A container that is not finished reports to its parent when it is.
        if (visits.length === before) visit.height = Math.max(visit.height, height + 1);
        visit.next++;
      } else {
        visits.pop();
        heights.set(visit.value, visit.height);
        const parent = visits.at(-1);
        if (parent !== undefined) parent.height = Math.max(parent.height, visit.height + 1);
      }
      const height = visits.at(-1)?.height ?? visit.height;
      if (height > MAX_NESTING) {
        throw new CheckpointError('limit', `the pickle nests over ${MAX_NESTING} containers`, offset);
      }
    }
  }
}
