/** Tokenizers are untrusted: their processing ends in bounded time, and errors in them are reported in one line. */
import { readFileSync } from 'node:fs';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import t from 'tap';
import { fixturePath } from '../../testing/fixtures.js';
import { TextTokenizer } from './text_tokenizer.js';

const read = (file: string) =>
  JSON.parse(readFileSync(fixturePath(`grootl/grootl_tiny/${file}`) as string, 'utf8'));
const TOKENIZER = read('tokenizer.json');
const CONFIG = read('tokenizer_config.json');

async function load(change: object, config: object = CONFIG): Promise<TextTokenizer> {
  const files = {
    'tokenizer.json': JSON.stringify({ ...TOKENIZER, ...change }),
    'tokenizer_config.json': JSON.stringify(config),
  };
  return (await TextTokenizer.load(files)) as TextTokenizer;
}

const replace = (Regex: string, content: string) => ({ type: 'Replace', pattern: { Regex }, content });
const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false });
const sequence = (list: string, parts: readonly object[]) => ({ type: 'Sequence', [list]: parts });

const LLAMA =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const BYTES = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };

for (const [name, change] of [
  ['of the fixture', {}],
  ['of Llama 3', { pre_tokenizer: sequence('pretokenizers', [split(LLAMA), BYTES]) }],
  ['with normalizers', { normalizer: sequence('normalizers', [{ type: 'NFC' }, replace(' {2,}', ' ')]) }],
] as const) {
  t.test(`bounded, a tokenizer ${name} gives the same tokens`, async (t) => {
    const ours = await load(change);
    const theirs = new Tokenizer({ ...TOKENIZER, ...change }, CONFIG);
    const text = fc.array(
      fc.constantFrom(..."aT'sé你 \n!1<|endoftext|>".split(''), '    ', '<|endoftext|>', 'the '),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(text, (parts) => {
        const ids = ours.encode(parts.join(''));
        const expected = parts.length === 0 ? [] : theirs.encode(parts.join('')).ids;
        if (String(ids) !== String(expected)) throw new Error(`${ids} instead of ${expected}`);
      }),
      { numRuns: 100 },
    );
    t.same(ours.encode('    x'), theirs.encode('    x').ids, 'added tokens in normalized text');
  });
}

t.test('patterns and normalizers without end come to one', async (t) => {
  const text = 'The quick brown fox jumps over the lazy dog. '.repeat(50);
  const endless = split('^(([\\s\\S])+)+\\u0000$');
  const patterns = await load({ pre_tokenizer: sequence('pretokenizers', [endless, BYTES]) });
  t.same(patterns.decode(patterns.encode(text)), text, 'an exponential pattern that never matches');
  const doubling = Array.from({ length: 40 }, () => replace('[\\s\\S]', 'aa'));
  for (const [change, message] of [
    [
      { normalizer: sequence('normalizers', doubling) },
      /tokenizer.json cannot be used: .*longer than \d+ characters/,
    ],
    [{ normalizer: sequence('normalizers', doubling), added_tokens: [] }, /longer than \d+ characters/],
    [{ decoder: sequence('decoders', doubling) }, /longer than \d+ characters/],
  ] as const) {
    await t.rejects(load(change), { message });
  }
});

t.test('what is wrong in a tokenizer is told in a line', async (t) => {
  const deep = (depth: number): object =>
    depth === 0 ? { type: 'NFC' } : sequence('normalizers', [deep(depth - 1)]);
  for (const [change, message] of [
    [{ normalizer: deep(30) }, /tokenizer.json.normalizer is nested deeper than 4 levels/],
    [{ normalizer: { type: 'Magic' } }, /tokenizer.json.normalizer has the type "Magic", which is unknown/],
    [
      { normalizer: replace('(a)\\1', 'b') },
      /tokenizer.json cannot be used: the pattern is not supported from character 3/,
    ],
    [{ normalizer: replace('(', 'b') }, /tokenizer.json cannot be used: /],
    [
      { pre_tokenizer: { type: 'FixedLength', length: 0 } },
      /pre_tokenizer.length is 0, expected an integer of at least 1/,
    ],
    [{ pre_tokenizer: 5 }, /pre_tokenizer is 5, expected an object/],
    [{ decoder: { type: 'Strip', start: 1e9 } }, /decoder.start is 1000000000/],
    [{ model: null }, /tokenizer.json.model is null/],
    [
      { model: { ...TOKENIZER.model, vocab: { a: 1e9 } } },
      /vocab\["a"\] is 1000000000, expected an integer from 0 to 4194304/,
    ],
    [{ model: { ...TOKENIZER.model, merges: [5] } }, /merges\[0\] is 5/],
    [{ added_tokens: [{ id: -1, content: 'a' }] }, /added_tokens\[0\].id is -1/],
    [{ post_processor: { type: 'TemplateProcessing', single: 5 } }, /post_processor.single is 5/],
  ] as const) {
    await t.rejects(load(change), { message });
  }
  await t.rejects(load({}, { clean_up_tokenization_spaces: 5 }), {
    message: 'tokenizer_config.json.clean_up_tokenization_spaces is 5, expected true or false',
  });
  await t.rejects(TextTokenizer.load({ 'tokenizer.json': 'version https://git-lfs.github.com/spec/v1' }), {
    message: 'tokenizer.json: not JSON',
  });
  await t.rejects(TextTokenizer.load({ 'tokenizer.json': '{"a":'.repeat(1000) }), {
    message: 'tokenizer.json: nested deeper than 64 levels',
  });
});

t.test('arguments', async (t) => {
  const tokenizer = await load({});
  t.throws(() => tokenizer.encode(5 as never), {
    message: 'TextTokenizer.encode: the text is 5, expected a text',
  });
  t.throws(() => tokenizer.encode('a'.repeat(2 ** 24 + 1)), { message: /has 16777217 characters/ });
  t.throws(() => tokenizer.encode('a', { specialTokens: 1 as never }), { message: /specialTokens is 1/ });
  t.throws(() => tokenizer.decode(undefined as never), {
    message: 'TextTokenizer.decode: ids is undefined, expected an array',
  });
  t.throws(() => tokenizer.decode([-1]), { message: /ids\[0\] is -1/ });
});

t.test('pieces are the tokens alone, whatever they hold', async (t) => {
  const ours = await load({});
  for (const [text, pieces] of [
    ['The cat', undefined],
    ['a  \n\tb', undefined],
    ['<|endoftext|>é', undefined],
    ['\u4f60', ['<0xE4>', '<0xBD>', '<0xA0>']],
  ] as const) {
    const found = ours.pieces(ours.encode(text));
    if (pieces) t.same(found, pieces, JSON.stringify(text));
    else if (!found.some((piece) => piece.startsWith('<0x'))) t.equal(found.join(''), text);
    else t.equal(bytesOf(found.join('')), bytesOf(text), JSON.stringify(text));
  }
  t.same(ours.pieces([1_000_000]), ['#1000000'], 'no token');
  const added = { ...TOKENIZER.added_tokens[0], id: 2, content: '\u00e9\u0120', special: false };
  const special = await load({ added_tokens: [...TOKENIZER.added_tokens, added] });
  t.same(special.pieces([2]), ['\u00e9\u0120'], 'an added token stands for itself');
  const plain = await load({ decoder: { type: 'Metaspace', replacement: '\u2581' } });
  t.match(
    plain.pieces(ours.encode('a cat'))[1],
    /^\u0120/,
    'what is not a byte-level tokenizer writes bytes as they are',
  );
});

/** The bytes of a text, including those written as <0x..>. */
function bytesOf(text: string): string {
  const parts = text.split(/<0x(..)>/).map((part, i) => {
    return i % 2 === 1 ? [Number.parseInt(part, 16)] : Array.from(new TextEncoder().encode(part));
  });
  return parts.flat().join(' ');
}
