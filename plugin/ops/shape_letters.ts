/**
 * Shapes as letters: `[B, V, D]`, `[D, R+2N]`, `[N, H*W, C]`. A letter has one extent throughout a call; this module parses
 * the letters of a declaration once and binds them to the shapes of each call.
 */

/** Extents by letter. */
export type Letters = Readonly<Record<string, number>>;

/** An extent in letters: a letter, an integer, or sums, differences, products and quotients of them; `2N` is 2*N. */
export interface Extent {
  readonly text: string;
  /** The letter, if the expression is a single letter: an input of this extent binds it. */
  readonly letter?: string;
  /** Returns NaN if a letter has no extent yet. */
  readonly evaluate: (letters: Letters) => number;
}

type Evaluate = Extent['evaluate'];

const TOKEN = /\s*(?:(\d+)|([A-Z])|([-+*/()]))/y;

/** @throws {Error} if the text is not a valid expression, which is a mistake in a declaration. */
export function parseExtent(text: string): Extent {
  const tokens = tokensOf(text);
  let at = 0;
  const fail = (): never => {
    throw new Error(`'${text}' is not an extent: expected letters, integers and + - * / ( )`);
  };
  const take = (...symbols: string[]) => (symbols.includes(tokens[at]) ? tokens[at++] : undefined);

  function factor(): Evaluate {
    const token = tokens[at++] ?? fail();
    if (token === '(') {
      const inner = sum();
      if (!take(')')) fail();
      return inner;
    }
    if (/\d/.test(token)) {
      const value = Number(token);
      return () => value;
    }
    if (!/[A-Z]/.test(token)) fail();
    return (letters) => letters[token] ?? Number.NaN;
  }

  function product(): Evaluate {
    let left = factor();
    for (;;) {
      const [a, coefficient] = [left, /\d/.test(tokens[at - 1]) && /[A-Z(]/.test(tokens[at] ?? '')];
      const symbol = coefficient ? '*' : take('*', '/');
      if (!symbol) return left;
      const b = factor();
      left =
        symbol === '*' ? (letters) => a(letters) * b(letters) : (letters) => quotient(a(letters), b(letters));
    }
  }

  function sum(): Evaluate {
    let left = product();
    for (let symbol = take('+', '-'); symbol; symbol = take('+', '-')) {
      const [a, b] = [left, product()];
      left = symbol === '+' ? (letters) => a(letters) + b(letters) : (letters) => a(letters) - b(letters);
    }
    return left;
  }

  const evaluate = sum();
  if (at !== tokens.length) fail();
  return { text, letter: /^[A-Z]$/.test(text) ? text : undefined, evaluate };
}

/** a / b, but 0 for 0 / 0, since an axis may be empty. */
function quotient(a: number, b: number): number {
  return a === 0 && b === 0 ? 0 : a / b;
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text))
    tokens.push(match[1] ?? match[2] ?? match[3]);
  if (tokens.join('') !== text.replace(/\s/g, '')) throw new Error(`'${text}' is not an extent`);
  return tokens;
}

/** A shape in letters. */
export interface ShapeLetters {
  /** As declared: `[..., C]`. */
  readonly text: string;
  /** Whether any number of leading axes is allowed. */
  readonly anyRank: boolean;
  readonly extents: readonly Extent[];
}

/** Parses a declared shape such as `['B', 'V', 'D']`; a leading `...` stands for any number of axes. */
export function parseShape(shape: readonly string[]): ShapeLetters {
  const anyRank = shape[0] === '...';
  return {
    text: `[${shape.join(', ')}]`,
    anyRank,
    extents: shape.slice(anyRank ? 1 : 0).map(parseExtent),
  };
}

/** Whether a shape has a rank that its letters allow. */
export function hasRank({ anyRank, extents }: ShapeLetters, shape: readonly number[]): boolean {
  return anyRank ? shape.length >= extents.length : shape.length === extents.length;
}

/** Binds each unbound letter that stands alone in a shape to the extent of its axis. */
export function bindLetters(
  { extents }: ShapeLetters,
  shape: readonly number[],
  letters: Record<string, number>,
): void {
  const leading = shape.length - extents.length;
  for (let axis = 0; axis < extents.length; axis++) {
    const { letter } = extents[axis];
    if (letter !== undefined) letters[letter] ??= shape[leading + axis];
  }
}

/** Whether a shape has the extents given by its letters. */
export function fitsLetters({ extents }: ShapeLetters, shape: readonly number[], letters: Letters): boolean {
  const leading = shape.length - extents.length;
  return extents.every(({ evaluate }, axis) => evaluate(letters) === shape[leading + axis]);
}

/** Formats a shape with its letters replaced by their extents; unbound letters are kept: `[2, 4, C]`. */
export function spellShape({ anyRank, extents }: ShapeLetters, letters: Letters): string {
  const spelled = extents.map(({ text, evaluate }) => {
    const extent = evaluate(letters);
    return Number.isNaN(extent) ? text : `${extent}`;
  });
  return `[${[...(anyRank ? ['...'] : []), ...spelled].join(', ')}]`;
}
