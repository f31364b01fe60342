/**
 * Configurations of mmsegmentation and mmdetection as text: assignments of Python literals, as `Config.pretty_text` writes them.
 * The text comes from an untrusted checkpoint and is parsed as data within bounds; anything that is not a literal, such as a call
 * or a sum, is an unknown value.
 */

/** undefined is a value that is not a literal. Tuples are lists; `dict(...)` and `{...}` are maps. */
export type ConfigValue = undefined | null | boolean | number | string | ConfigList | ConfigDict;
export type ConfigList = readonly ConfigValue[];
export type ConfigDict = ReadonlyMap<string, ConfigValue>;

/** Maximum number of characters; complete configurations have tens of thousands. */
const MAX_TEXT = 2 ** 20;
/** Maximum nesting of lists and dicts. */
const MAX_NESTING = 64;
/** Maximum number of values and of skipped pieces of expressions. */
const MAX_STEPS = 500_000;

/** Each must match at a given position. */
const BLANK = /(?:[ \t\r\n\f]+|\\\r?\n|#[^\n]*)*/y;
const SPACES = /[ \t]*/y;
const ASSIGNMENT = /([A-Za-z_]\w*)[ \t]*=(?!=)/y;
const NAME = /[A-Za-z_]\w*/y;
const NUMBER = /[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?(?![\w.])/y;
const STRING =
  /[rRuU]?(?:'''((?:[^\\]|\\[\s\S])*?)'''|"""((?:[^\\]|\\[\s\S])*?)"""|'((?:[^'\\\n]|\\[\s\S])*)'|"((?:[^"\\\n]|\\[\s\S])*)")/y;
/** Where the next assignment may start: at the beginning of a line. */
const NEXT = /^[A-Za-z_]\w*[ \t]*=(?!=)/gm;

const CONSTANTS: ReadonlyMap<string, ConfigValue> = new Map<string, ConfigValue>([
  ['True', true],
  ['False', false],
  ['None', null],
]);
/** Calls that are equivalent to a dict literal. */
const DICTS = new Set(['dict', 'ConfigDict']);
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** Text that is neither a literal nor an expression. */
class SyntaxProblem extends Error {}
/** The text exceeds a limit. */
class LimitReached extends Error {}

export interface ConfigText {
  /** By the assigned names; the last assignment of a name counts. */
  readonly values: ConfigDict;
  /** What could not be read, on one line; undefined if everything was read. */
  readonly problem?: string;
}

/** Reads the assignments in a text. Other statements are ignored. Never throws. */
export function readConfigText(text: string): ConfigText {
  if (text.length > MAX_TEXT) {
    return {
      values: new Map(),
      problem: `it has ${text.length} characters, at most ${MAX_TEXT} are read`,
    };
  }
  return new ConfigReader(text).read();
}

/** The value under nested keys; undefined if missing. */
export function valueAt(value: ConfigValue, ...keys: readonly string[]): ConfigValue {
  return keys.reduce<ConfigValue>((at, key) => (at instanceof Map ? at.get(key) : undefined), value);
}

class ConfigReader {
  private at = 0;
  private steps = 0;

  constructor(private readonly text: string) {}

  read(): ConfigText {
    const values = new Map<string, ConfigValue>();
    let unread = 0;
    try {
      for (this.match(BLANK); this.at < this.text.length; this.match(BLANK)) {
        const start = this.at;
        try {
          const name = this.match(ASSIGNMENT)?.[1];
          if (name === undefined) throw new SyntaxProblem();
          values.set(name, this.value(0));
          if (!/^[ \t\r]*(#.*)?$/.test(this.restOfLine())) throw new SyntaxProblem();
          this.at += this.restOfLine().length;
        } catch (error) {
          if (!(error instanceof SyntaxProblem)) throw error;
          unread++;
          this.step();
          NEXT.lastIndex = start + 1;
          this.at = NEXT.exec(this.text)?.index ?? this.text.length;
        }
      }
    } catch (error) {
      if (!(error instanceof LimitReached)) throw error;
      return { values, problem: `it has more than ${MAX_STEPS} values, the rest was not read` };
    }
    if (unread === 0) return { values };
    return { values, problem: `${unread} of its statements are not assignments of literals` };
  }

  private value(depth: number): ConfigValue {
    this.step();
    if (depth > MAX_NESTING) throw new SyntaxProblem();
    const literal = this.literal(depth);
    const start = this.at;
    const next = this.peek(depth === 0);
    if (next === '' || next === ',' || next === ')' || next === ']' || next === '}' || next === ':')
      return literal;
    this.at = start;
    this.skipExpression(depth === 0);
    return undefined;
  }

  private literal(depth: number): ConfigValue {
    this.match(BLANK);
    const character = this.text[this.at];
    if (character === '[' || character === '(') return this.list(depth);
    if (character === '{') return this.dict(depth, '}', ':');
    const number = this.match(NUMBER)?.[0];
    if (number !== undefined) return Number(number.replaceAll('_', ''));
    let string = this.match(STRING);
    if (string) {
      // Adjacent strings are concatenated.
      let joined = '';
      for (; string; string = this.match(STRING)) {
        joined += unescaped(string[1] ?? string[2] ?? string[3] ?? string[4]);
        this.match(depth > 0 ? BLANK : SPACES);
        this.step();
      }
      return joined;
    }
    if (character === "'" || character === '"') throw new SyntaxProblem(); // an unterminated string
    const name = this.match(NAME)?.[0];
    if (name === undefined) return undefined;
    if (DICTS.has(name) && this.peek(false) === '(') return this.dict(depth, ')', '=');
    return CONSTANTS.get(name);
  }

  private list(depth: number): ConfigValue {
    const closing = CLOSING[this.text[this.at]];
    this.at++;
    const items: ConfigValue[] = [];
    let commas = 0;
    while (this.peek(false) !== closing) {
      if (items.length !== commas) throw new SyntaxProblem();
      items.push(this.value(depth + 1));
      if (this.peek(false) === ',') {
        this.at++;
        commas++;
      }
    }
    this.at++;
    // Parentheses around a single value are not a tuple.
    return closing === ')' && items.length === 1 && commas === 0 ? items[0] : items;
  }

  private dict(depth: number, closing: string, between: string): ConfigValue {
    this.at++;
    const entries = new Map<string, ConfigValue>();
    while (this.peek(false) !== closing) {
      const key = between === '=' ? this.match(NAME)?.[0] : this.value(depth + 1);
      if (this.peek(false) !== between) throw new SyntaxProblem();
      this.at++;
      const value = this.value(depth + 1);
      if (typeof key === 'string') entries.set(key, value);
      const next = this.peek(false);
      if (next === ',') this.at++;
      else if (next !== closing) throw new SyntaxProblem();
    }
    this.at++;
    return entries;
  }

  /** Skips to the comma or bracket after an expression, or to the end of its line if it is not in brackets. */
  private skipExpression(endsWithLine: boolean): void {
    const open: string[] = [];
    for (;;) {
      this.step();
      const next = this.peek(endsWithLine && open.length === 0);
      if (open.length === 0 && (next === '' || next === ',' || next === ')' || next === ']' || next === '}'))
        return;
      if (next === '') throw new SyntaxProblem();
      if (this.match(STRING) || this.match(NAME)) continue;
      if (next === "'" || next === '"') throw new SyntaxProblem();
      if (CLOSING[next]) open.push(CLOSING[next]);
      else if (next === open.at(-1)) open.pop();
      else if (next === ')' || next === ']' || next === '}') throw new SyntaxProblem();
      if (open.length > MAX_NESTING) throw new SyntaxProblem();
      this.at++;
    }
  }

  /** The next character that is not blank; '' at the end of the text, and at the end of the line if that ends a value. */
  private peek(endsWithLine: boolean): string {
    if (endsWithLine) {
      this.match(SPACES);
      return /[\r\n#]/.test(this.text[this.at] ?? '\n') ? '' : this.text[this.at];
    }
    this.match(BLANK);
    if (this.at >= this.text.length) throw new SyntaxProblem();
    return this.text[this.at];
  }

  private restOfLine(): string {
    const end = this.text.indexOf('\n', this.at);
    return this.text.slice(this.at, end < 0 ? undefined : end);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at = pattern.lastIndex;
    return match;
  }

  private step(): void {
    if (++this.steps > MAX_STEPS) throw new LimitReached();
  }
}

/** Names of types and modes contain no other escapes. */
function unescaped(text: string): string {
  return text.replace(/\\(['"\\])/g, '$1');
}
