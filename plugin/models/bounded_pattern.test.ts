/** Tests tokenizer patterns: the same matches as JavaScript's own engine, in bounded time. */
import { deepEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { BoundedPattern, PatternBudget } from './bounded_pattern.js';

const PUBLISHED = {
  'GPT-2': "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  'Llama 3':
    "(?:'[sS]|'[tT]|'[rR][eE])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  o200k:
    '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}]+[\\p{Ll}\\p{M}]*|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+',
  BLOOM: ' ?[^()|\\s.,!?…。，、।۔،]+',
  DeepSeek: '\\s?[A-Za-zµÀ-ÖØ-öø-ƺ]+|\\s?[!-\\/:-~！-／：-～]+|\\s+$|[一-龥ࠀ-一가-퟿]+',
  anchors: '(?:(?<![\\s\\S])|(?<=\\n))[^\\n]*(?:(?=\\n)|(?![\\s\\S]))',
};

function bounded(source: string): BoundedPattern {
  const budget = new PatternBudget();
  budget.reset(1000);
  return new BoundedPattern(new RegExp(source, 'gu'), budget);
}

/** Applies a pattern as tokenizers do, with JavaScript's engine and with ours. */
function compare(source: string, text: string) {
  const native = new RegExp(source, 'gu');
  const ours = bounded(source) as unknown as RegExp;
  const all = (pattern: RegExp) => Array.from(text.matchAll(pattern), (match) => [match.index, match[0]]);
  return {
    ours: [all(ours), text.match(ours), text.replaceAll(ours, '<>'), text.split(ours)],
    native: [all(native), text.match(native), text.replaceAll(native, '<>'), text.split(native)],
  };
}

const LETTERS = [
  ...'aAb',
  'é',
  '你',
  '𝒳',
  '1',
  '23',
  ' ',
  '  ',
  '\n',
  '\r\n',
  "'s",
  '.',
  '!',
  '\u00a0',
  '\ud83d\ude00',
  '\ud83d',
];
const texts = fc.array(fc.constantFrom(...LETTERS), { maxLength: 20 }).map((parts) => parts.join(''));

for (const [name, source] of Object.entries(PUBLISHED)) {
  t.test(`the pattern of ${name}`, async () => {
    fc.assert(
      fc.property(texts, (text) => {
        const { ours, native } = compare(source, text);
        deepEqual(ours, native);
      }),
      { numRuns: 100 },
    );
  });
}

/** Excludes patterns with empty iterations of a repetition: JavaScript discards them, ours may keep them. */
function alwaysConsumes(source: string): boolean {
  return !/[\^$](?!a\])|\(\?[<=!]/.test(source) && !new RegExp(`^(?:${source})$`, 'u').test('');
}

/** Sources of patterns without capturing groups, which `split` would include in its result. */
const sources: fc.Arbitrary<string> = fc.letrec<{ part: string; pattern: string }>((tie) => ({
  part: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      'a',
      'A',
      'b',
      '.',
      '\\s',
      '\\S',
      '[ab]',
      '[^a]',
      '\\p{L}',
      ' ',
      '^',
      '$',
      '(?<=a)',
      '(?<![ab]\\s)',
      '\\n',
      'é',
    ),
    tie('pattern').map((inner) => `(?:${inner})`),
    tie('pattern').map((inner) => `(?=${inner})`),
    tie('pattern').map((inner) => `(?!${inner})`),
  ),
  pattern: fc.oneof(
    { depthSize: 'small' },
    fc
      .tuple(
        tie('part'),
        fc.constantFrom('', '*', '+', '?', '*?', '+?', '??', '{2}', '{1,3}', '{0,2}?', '{2,}'),
      )
      .map(([part, quantifier]) => (alwaysConsumes(part) ? part + quantifier : part)),
    fc.tuple(tie('pattern'), tie('pattern')).map((parts) => parts.join('')),
    fc.tuple(tie('pattern'), tie('pattern')).map((parts) => `(?:${parts.join('|')})`),
  ),
})).pattern;

t.test('any pattern matches as the engine of JavaScript does', async () => {
  // V8 finds empty matches inside of surrogate pairs, so that none are used here.
  const short = fc.array(fc.constantFrom('a', 'A', 'b', ' ', '\n', 'é'), { maxLength: 7 });
  fc.assert(
    fc.property(sources, short, (source, parts) => {
      const { ours, native } = compare(source, parts.join(''));
      deepEqual(ours, native);
    }),
    { numRuns: 1000 },
  );
});

t.test('patterns that backtrack without end come to one', async (t) => {
  const text = 'The quick brown fox jumps over the lazy dog '.repeat(20);
  for (const source of [
    '^(([\\s\\S])+)+\\u0000$',
    '(o|o)*\\u0000|(\\w|\\s)+\\u0000',
    '(?:\\w*)*(?:\\s*)*\\u0000',
    `${'.?'.repeat(60)}${'.'.repeat(60)}\\u0000`,
    '\\s*\\S*\\s*\\S*\\s*\\S*\\s*\\S*\\u0000',
  ]) {
    t.same(text.match(bounded(source) as unknown as RegExp), null, source);
  }
  const budget = new PatternBudget();
  budget.reset(10);
  const slow = new BoundedPattern(/(?=[\s\S]*)./gu, budget) as unknown as RegExp;
  t.throws(
    () => 'a'.repeat(20_000).match(slow),
    { message: /take too long/ },
    'quadratic: the budget ends it',
  );
});

t.test('what is not supported says so', async (t) => {
  for (const [source, message] of [
    ['(a)\\1', /not supported from character 3/],
    ['(?<=a+)b', /lookbehind of no fixed length/],
    ['(?:a{1000}){1000}', /more than 10000 steps/],
    ['('.repeat(60) + ')'.repeat(60), /deeper than 50/],
    ['a'.repeat(20_001), /20001 characters/],
  ] as const) {
    t.throws(() => bounded(source), { message });
  }
});

t.test('a text may not grow without end', async (t) => {
  const pattern = bounded('[\\s\\S]') as unknown as RegExp;
  t.throws(() => 'a'.repeat(1000).replaceAll(pattern, 'b'.repeat(1000)), {
    message: /longer than 42000 characters/,
  });
});
