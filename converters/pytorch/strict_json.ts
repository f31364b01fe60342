// JSON for file headers: like JSON.parse, but objects become Maps, a repeated key is an error, and the number of
// members and the nesting are bounded. Grammar: RFC 8259.

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | ReadonlyMap<string, Json>;

/** Malformed JSON; `position` is the index of the character at which it was detected. */
export class StrictJsonError extends Error {
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
  }
}

/** Levels of nesting: a safetensors header has 3. */
const MAX_DEPTH = 16;

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHITESPACE = /[ \t\n\r]*/y;

class Parser {
  private position = 0;
  private members = 0;

  constructor(
    private readonly text: string,
    private readonly maxMembers: number,
  ) {}

  private fail(message: string, position = this.position): never {
    throw new StrictJsonError(message, position);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }

  private accept(character: string): boolean {
    this.match(WHITESPACE);
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private expect(character: string): void {
    if (!this.accept(character)) this.fail(`'${character}' is expected`);
  }

  document(): Json {
    const value = this.value(0);
    this.match(WHITESPACE);
    if (this.position !== this.text.length) this.fail('something follows the JSON value');
    return value;
  }

  private value(depth: number): Json {
    if (depth > MAX_DEPTH) this.fail(`more than ${MAX_DEPTH} levels of nesting`);
    if (this.accept('{')) return this.object(depth);
    if (this.accept('[')) return this.array(depth);
    const character = this.text[this.position];
    if (character === '"') return this.string();
    for (const [word, value] of [
      ['null', null],
      ['true', true],
      ['false', false],
    ] as const) {
      if (this.text.startsWith(word, this.position)) {
        this.position += word.length;
        return value;
      }
    }
    const number = this.match(NUMBER);
    return number === undefined || number === '' ? this.fail('a JSON value is expected') : Number(number);
  }

  private string(): string {
    const start = this.position;
    let escaped = false;
    let end = start + 1;
    // A loop, because a regular expression needs stack for every character of a long string.
    for (; this.text[end] !== '"'; end++) {
      if (end >= this.text.length) this.fail('a text is not closed', start);
      if (this.text.charCodeAt(end) < 0x20) this.fail('a text has a bare control character', end);
      if (this.text[end] !== '\\') continue;
      escaped = true;
      end++;
    }
    this.position = end + 1;
    if (!escaped) return this.text.slice(start + 1, end);
    try {
      return String(JSON.parse(this.text.slice(start, end + 1)));
    } catch {
      return this.fail('a text has a malformed escape', start);
    }
  }

  private count(): void {
    if (++this.members > this.maxMembers) this.fail(`more than ${this.maxMembers} members`);
  }

  private object(depth: number): ReadonlyMap<string, Json> {
    const object = new Map<string, Json>();
    if (this.accept('}')) return object;
    do {
      this.match(WHITESPACE);
      const at = this.position;
      if (this.text[at] !== '"') this.fail('a key is expected');
      const key = this.string();
      if (object.has(key)) this.fail(`the key ${JSON.stringify(key.slice(0, 80))} occurs twice`, at);
      this.expect(':');
      this.count();
      object.set(key, this.value(depth + 1));
    } while (this.accept(','));
    this.expect('}');
    return object;
  }

  private array(depth: number): readonly Json[] {
    const array: Json[] = [];
    if (this.accept(']')) return array;
    do {
      this.count();
      array.push(this.value(depth + 1));
    } while (this.accept(','));
    this.expect(']');
    return array;
  }
}

/** @throws StrictJsonError */
export function parseStrictJson(text: string, maxMembers: number): Json {
  return new Parser(text, maxMembers).document();
}
