// The memory of the pickle machine: a stack with marks, and a memo, all bounded.

import { CheckpointError } from './errors.js';
import { MAX_MARKS, MAX_MEMO, MAX_STACK } from './limits.js';
import type { PickleValue } from './pickle_values.js';

/** The values being built. `at` is the offset in the file of the current opcode, for messages. */
export class PickleStack {
  at = 0;
  private readonly values: PickleValue[] = [];
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();

  fail(message: string): never {
    throw new CheckpointError('pickle-format', message, this.at);
  }

  limit(what: string, most: number): never {
    throw new CheckpointError('limit', `the pickle has over ${most} ${what}`, this.at);
  }

  get isEmpty(): boolean {
    return this.values.length === 0 && this.marks.length === 0;
  }

  push(value: PickleValue): void {
    if (this.values.length >= MAX_STACK) this.limit('values on its stack', MAX_STACK);
    this.values.push(value);
  }

  /** Pops the top value, which must be above the topmost mark. */
  pop(): PickleValue {
    const floor = this.marks.at(-1) ?? 0;
    if (this.values.length <= floor) this.fail('the pickle takes a value from an empty stack');
    return this.values.pop() as PickleValue;
  }

  /** The top value, which stays on the stack. */
  top(): PickleValue {
    const value = this.pop();
    this.values.push(value);
    return value;
  }

  /** Pops `count` values, in the order in which they were pushed. */
  popMany(count: number): PickleValue[] {
    const items = new Array<PickleValue>(count);
    for (let i = count - 1; i >= 0; i--) items[i] = this.pop();
    return items;
  }

  mark(): void {
    if (this.marks.length >= MAX_MARKS) this.limit('open containers', MAX_MARKS);
    this.marks.push(this.values.length);
  }

  /** Pops all values above the topmost mark, and the mark. */
  popToMark(): PickleValue[] {
    const mark = this.marks.pop();
    if (mark === undefined) this.fail('the pickle closes a container that it has not opened');
    return this.values.splice(mark);
  }

  /** Discards the topmost value or mark, which in Python share a stack. */
  discard(): void {
    if (this.marks.at(-1) === this.values.length) this.marks.pop();
    else this.pop();
  }

  memorise(index: number): void {
    if (index >= MAX_MEMO) this.limit('memo entries', MAX_MEMO);
    this.memo.set(index, this.top());
  }

  /** Stores the top value under the next memo index, as in protocol 4. */
  memoriseNext(): void {
    this.memorise(this.memo.size);
  }

  recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) this.fail(`the pickle refers to memo entry ${index}, which it has not made`);
    return value;
  }
}
