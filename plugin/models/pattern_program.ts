/** Regular expressions in JavaScript's syntax, compiled to instructions for `BoundedPattern`. */

/** An instruction; targets are indices of instructions. */
export type Instruction =
  | { readonly op: 'character'; readonly accepts: (codePoint: number) => boolean }
  /** Continues at `first` and, if that fails, at `second`. `id` numbers the choices of a program. */
  | { readonly op: 'choice'; first: number; second: number; readonly id: number }
  | { readonly op: 'jump'; target: number }
  | { readonly op: 'start' }
  | { readonly op: 'end' }
  /** Runs the following instructions up to `match`, starting `back` code points earlier; then continues at `target`. */
  | { readonly op: 'look'; negated: boolean; back: number; target: number; readonly id: number }
  | { readonly op: 'match' };

export interface Program {
  readonly instructions: readonly Instruction[];
  readonly choices: number;
  readonly looks: number;
}

type Syntax =
  | { readonly type: 'character'; readonly accepts: (codePoint: number) => boolean }
  | { readonly type: 'start' | 'end' }
  | { readonly type: 'sequence' | 'either'; readonly items: readonly Syntax[] }
  | {
      readonly type: 'repeat';
      readonly item: Syntax;
      readonly min: number;
      readonly max: number;
      readonly isLazy: boolean;
    }
  | { readonly type: 'look'; readonly item: Syntax; readonly negated: boolean; readonly behind: boolean };

const MAX_INSTRUCTIONS = 10_000;
const MAX_DEPTH = 50;
const MAX_SOURCE = 20_000;

/**
 * Compiles the source of a RegExp with the flag `u`.
 * @throws {Error} if it has back references, lookbehinds of variable length or other unsupported syntax, or is too large.
 */
export function compilePattern(source: string): Program {
  if (source.length > MAX_SOURCE)
    throw new Error(`the pattern has ${source.length} characters, expected at most ${MAX_SOURCE}`);
  const program = new Emitter();
  program.emit(new Parser(source).parse());
  program.add({ op: 'match' });
  return program;
}

const ATOM =
  /(?:\\u\{[\da-f]+\}|\\u[\da-f]{4}\\u[\da-f]{4}|\\u[\da-f]{4}|\\x[\da-f]{2}|\\c[a-z]|\\p\{[^}]*\}|\\(?!0\d)[^1-9kb]|\[(?:\\.|[^\]\\])*\]|[^\\^$*+?()[\]{}|])/isuy;
const QUANTIFIER = /(?:([*+?])|\{(\d+)(,(\d*))?\})(\?)?/y;
const GROUP = /\((?:\?(:|[=!]|<[=!]|<\w+>))?/y;

class Parser {
  private position = 0;
  private depth = 0;

  constructor(private readonly source: string) {}

  parse(): Syntax {
    const syntax = this.either();
    if (this.position < this.source.length) this.fail();
    return syntax;
  }

  private either(): Syntax {
    if (++this.depth > MAX_DEPTH) throw new Error(`the pattern is nested deeper than ${MAX_DEPTH} groups`);
    const items = [this.sequence()];
    while (this.accept('|')) items.push(this.sequence());
    this.depth--;
    return items.length === 1 ? items[0] : { type: 'either', items };
  }

  private sequence(): Syntax {
    const items: Syntax[] = [];
    while (this.position < this.source.length && !'|)'.includes(this.source[this.position])) {
      items.push(this.repeated(this.item()));
    }
    return { type: 'sequence', items };
  }

  private item(): Syntax {
    if (this.accept('^')) return { type: 'start' };
    if (this.accept('$')) return { type: 'end' };
    const group = this.match(GROUP);
    if (group) {
      const item = this.either();
      if (!this.accept(')')) this.fail();
      const kind = group[1] ?? ':';
      if (kind === ':' || kind.endsWith('>')) return item;
      return { type: 'look', item, negated: kind.endsWith('!'), behind: kind.startsWith('<') };
    }
    const [atom] = this.match(ATOM) ?? this.fail();
    return { type: 'character', accepts: acceptor(atom) };
  }

  private repeated(item: Syntax): Syntax {
    const quantifier = this.match(QUANTIFIER);
    if (!quantifier) return item;
    const [, sign, least, range, most, lazy] = quantifier;
    const min = sign ? (sign === '+' ? 1 : 0) : Number(least);
    const otherwise = range ? Number.POSITIVE_INFINITY : min;
    const max = sign ? (sign === '?' ? 1 : Number.POSITIVE_INFINITY) : most ? Number(most) : otherwise;
    return { type: 'repeat', item, min, max, isLazy: lazy !== undefined };
  }

  private match(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.position;
    const match = expression.exec(this.source);
    if (!match) return undefined;
    this.position = expression.lastIndex;
    return match;
  }

  private accept(character: string): boolean {
    if (this.source[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private fail(): never {
    throw new Error(`the pattern is not supported from character ${this.position} on`);
  }
}

/** Returns whether an atom matches a code point, as the engine decides; results are cached. */
function acceptor(atom: string): (codePoint: number) => boolean {
  const expression = new RegExp(`^${atom}$`, 'u');
  const known = new Map<number, boolean>();
  return (codePoint) => {
    let accepts = known.get(codePoint);
    if (accepts === undefined) {
      accepts = expression.test(String.fromCodePoint(codePoint));
      known.set(codePoint, accepts);
    }
    return accepts;
  };
}

class Emitter implements Program {
  readonly instructions: Instruction[] = [];
  choices = 0;
  looks = 0;

  add<I extends Instruction>(instruction: I): I {
    if (this.instructions.length === MAX_INSTRUCTIONS) {
      throw new Error(
        `the pattern has more than ${MAX_INSTRUCTIONS} steps once its repetitions are written out`,
      );
    }
    this.instructions.push(instruction);
    return instruction;
  }

  emit(syntax: Syntax): void {
    switch (syntax.type) {
      case 'character':
        this.add({ op: 'character', accepts: syntax.accepts });
        break;
      case 'start':
      case 'end':
        this.add({ op: syntax.type });
        break;
      case 'sequence':
        for (const item of syntax.items) this.emit(item);
        break;
      case 'either':
        this.emitEither(syntax.items);
        break;
      case 'repeat':
        this.emitRepeat(syntax.item, syntax.min, syntax.max, syntax.isLazy);
        break;
      case 'look': {
        const back = syntax.behind ? lengthOf(syntax.item) : 0;
        const look = this.add({ op: 'look', negated: syntax.negated, back, target: 0, id: this.looks++ });
        this.emit(syntax.item);
        this.add({ op: 'match' });
        look.target = this.instructions.length;
      }
    }
  }

  private emitEither(items: readonly Syntax[]): void {
    const ends: { target: number }[] = [];
    for (const [i, item] of items.entries()) {
      if (i + 1 === items.length) {
        this.emit(item);
        break;
      }
      const choice = this.choice();
      choice.first = this.instructions.length;
      this.emit(item);
      ends.push(this.add({ op: 'jump', target: 0 }));
      choice.second = this.instructions.length;
    }
    for (const end of ends) end.target = this.instructions.length;
  }

  private emitRepeat(item: Syntax, min: number, max: number, isLazy: boolean): void {
    for (let i = 0; i < min; i++) this.emit(item);
    const enter = () => {
      const choice = this.choice();
      choice[isLazy ? 'second' : 'first'] = this.instructions.length;
      return choice;
    };
    const leave = (choice: { first: number; second: number }) => {
      choice[isLazy ? 'first' : 'second'] = this.instructions.length;
    };
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.instructions.length;
      const choice = enter();
      this.emit(item);
      this.add({ op: 'jump', target: loop });
      leave(choice);
      return;
    }
    const choices: ReturnType<typeof enter>[] = [];
    for (let i = min; i < max; i++) {
      choices.push(enter());
      this.emit(item);
    }
    choices.forEach(leave);
  }

  private choice() {
    return this.add({ op: 'choice', first: 0, second: 0, id: this.choices++ });
  }
}

/**
 * Returns the number of code points that a lookbehind matches.
 * @throws {Error} if it is not fixed.
 */
function lengthOf(syntax: Syntax): number {
  switch (syntax.type) {
    case 'character':
      return 1;
    case 'start':
    case 'end':
    case 'look':
      return 0;
    case 'sequence':
      return syntax.items.reduce((sum, item) => sum + lengthOf(item), 0);
    case 'either': {
      const lengths = new Set(syntax.items.map(lengthOf));
      if (lengths.size === 1) return [...lengths][0];
      break;
    }
    case 'repeat':
      if (syntax.min === syntax.max) return syntax.min * lengthOf(syntax.item);
  }
  throw new Error('the pattern has a lookbehind of no fixed length, which is not supported');
}
