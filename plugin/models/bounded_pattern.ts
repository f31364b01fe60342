/**
 * Regular expressions of untrusted files. JavaScript's own engine may take time that is exponential in the length of the
 * text, and cannot be interrupted. This one remembers which choices failed at which position, so that a search takes time
 * proportional to text and pattern, and limits the remaining work by a budget.
 */
import { compilePattern, type Instruction, type Program } from './pattern_program.js';

/** Limits the work on one text; shared by all patterns that process it. */
export class PatternBudget {
  private steps = 0;
  private longest = 0;

  /** Starts a new text of `characters` characters. */
  reset(characters: number): void {
    this.steps = 20_000_000 + 500 * characters;
    this.longest = 10_000 + 32 * characters;
  }

  spend(steps: number): void {
    this.steps -= steps;
    if (this.steps < 0) throw new Error('the patterns of the tokenizer take too long with this text');
  }

  /** @throws {Error} if a text has grown by more than any tokenizer needs. */
  checkLength(length: number): void {
    if (length > this.longest) {
      throw new Error(`the tokenizer makes the text longer than ${this.longest} characters`);
    }
  }
}

/** Bits of the memory of failed choices: 32 MB. */
const MAX_MEMORY = 2 ** 28;

/**
 * Implements what a RegExp with the flags `gu` does for `match`, `matchAll`, `replaceAll` and `split`, without captures. An
 * iteration of a counted repetition may match the empty string, which JavaScript does not accept.
 */
export class BoundedPattern {
  /** Required by `matchAll` and `replaceAll`. */
  readonly flags = 'gu';
  private readonly program: Program;

  /** @throws {Error} if the pattern is not supported. */
  constructor(
    { source }: RegExp,
    private readonly budget: PatternBudget,
  ) {
    this.program = compilePattern(source);
  }

  [Symbol.match](text: string): string[] | null {
    const found = Array.from(this.search(text), ({ start, end }) => text.slice(start, end));
    return found.length === 0 ? null : found;
  }

  *[Symbol.matchAll](text: string): Generator<{ 0: string; index: number }> {
    for (const { start, end } of this.search(text)) yield { 0: text.slice(start, end), index: start };
  }

  /** The replacement is used literally, including `$`, as in HuggingFace's tokenizers. */
  [Symbol.replace](text: string, replacement: string): string {
    const pieces: string[] = [];
    let [at, length] = [0, text.length];
    for (const { start, end } of this.search(text)) {
      length += replacement.length - (end - start);
      this.budget.checkLength(length);
      pieces.push(text.slice(at, start), replacement);
      at = end;
    }
    return pieces.length === 0 ? text : pieces.join('') + text.slice(at);
  }

  [Symbol.split](text: string): string[] {
    const pieces: string[] = [];
    let at = 0;
    for (const { start, end } of this.search(text)) {
      if (text === '') return [];
      if (end === start && (start === at || start === text.length)) continue;
      pieces.push(text.slice(at, start));
      at = end;
    }
    return [...pieces, text.slice(at)];
  }

  private *search(text: string): Generator<{ start: number; end: number }> {
    const matcher = new Matcher(this.program, text, this.budget);
    for (let start = 0; start <= text.length; ) {
      const end = matcher.matchAt(start);
      if (end !== undefined) yield { start, end };
      start = end === undefined || end === start ? next(text, start) : end;
    }
  }
}

function next(text: string, position: number): number {
  return position + ((text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1);
}

class Matcher {
  private readonly instructions: readonly Instruction[];
  private readonly positions: number;
  /** One bit for each choice and position that has been tried. */
  private readonly tried: Uint8Array;
  /** Results of lookarounds by instruction and position. */
  private readonly looked = new Map<number, boolean>();

  constructor(
    program: Program,
    private readonly text: string,
    private readonly budget: PatternBudget,
  ) {
    this.instructions = program.instructions;
    this.positions = text.length + 1;
    const bits = program.choices * this.positions;
    if (bits > MAX_MEMORY)
      throw new Error(`a text of ${text.length} characters is too long for this tokenizer`);
    this.tried = new Uint8Array(Math.ceil(bits / 8));
  }

  /** Returns the end of the match that begins at a position, or undefined. */
  matchAt(position: number): number | undefined {
    const trail: number[] = [];
    const end = this.run(0, position, trail);
    // Choices on the way to a match have not failed.
    if (end !== undefined) this.forget(trail);
    return end;
  }

  /**
   * Runs from an instruction to `match`. A choice that was tried before has either failed, or is being tried by a repetition
   * whose last iteration matched the empty string: neither can lead to a match.
   */
  private run(from: number, at: number, trail: number[]): number | undefined {
    const { instructions, text } = this;
    const stack: number[] = [];
    let [pc, position, steps] = [from, at, 0];
    for (;;) {
      steps++;
      const instruction = instructions[pc];
      let goesOn = true;
      switch (instruction.op) {
        case 'character': {
          const codePoint = text.codePointAt(position);
          goesOn = codePoint !== undefined && instruction.accepts(codePoint);
          if (goesOn) position += (codePoint as number) > 0xffff ? 2 : 1;
          pc++;
          break;
        }
        case 'choice':
          goesOn = this.try(instruction.id * this.positions + position, trail);
          if (goesOn) stack.push(instruction.second, position);
          pc = instruction.first;
          break;
        case 'jump':
          pc = instruction.target;
          break;
        case 'start':
          goesOn = position === 0;
          pc++;
          break;
        case 'end':
          goesOn = position === text.length;
          pc++;
          break;
        case 'look':
          goesOn = this.look(pc, instruction, position);
          pc = instruction.target;
          break;
        case 'match':
          this.budget.spend(steps);
          return position;
      }
      if (goesOn) continue;
      if (steps > 10_000) {
        this.budget.spend(steps);
        steps = 0;
      }
      if (stack.length === 0) {
        this.budget.spend(steps);
        return undefined;
      }
      position = stack.pop() as number;
      pc = stack.pop() as number;
    }
  }

  private look(pc: number, look: Instruction & { op: 'look' }, position: number): boolean {
    const key = look.id * this.positions + position;
    const known = this.looked.get(key);
    if (known !== undefined) return known;
    let from: number | undefined = position;
    for (let i = 0; i < look.back && from !== undefined; i++) from = this.before(from);
    const trail: number[] = [];
    const matches = from !== undefined && this.run(pc + 1, from, trail) !== undefined;
    this.forget(trail);
    const answer = matches !== look.negated;
    this.looked.set(key, answer);
    return answer;
  }

  private before(position: number): number | undefined {
    if (position === 0) return undefined;
    const isPair = position > 1 && (this.text.codePointAt(position - 2) ?? 0) > 0xffff;
    return position - (isPair ? 2 : 1);
  }

  /** Marks a choice as tried; returns whether it was new. */
  private try(bit: number, trail: number[]): boolean {
    const mask = 1 << (bit & 7);
    if (this.tried[bit >>> 3] & mask) return false;
    this.tried[bit >>> 3] |= mask;
    trail.push(bit);
    return true;
  }

  private forget(trail: readonly number[]): void {
    for (const bit of trail) this.tried[bit >>> 3] &= ~(1 << (bit & 7));
  }
}
