/** Tests streamed text: it equals the text of all tokens, and the cost of a token does not depend on the length. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import t from 'tap';
import { fixturePath } from '../../testing/fixtures.js';
import { TextStream } from './text_stream.js';
import { TextTokenizer } from './text_tokenizer.js';

type Decode = (ids: readonly number[]) => string;

/** Streams a text token by token. */
function streamed(
  decode: Decode,
  ids: readonly number[],
  stops: readonly string[] = [],
  unstable: readonly string[] = [],
) {
  const stream = new TextStream(decode, stops, unstable);
  const pieces: string[] = [];
  for (const [i, id] of ids.entries()) {
    pieces.push(stream.push(id, (stopped) => stopped || i === ids.length - 1));
    if (stream.stopped) break;
  }
  return { text: pieces.join(''), stopped: stream.stopped, whole: stream.text };
}

const bytes: Decode = (ids) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(ids));

/** A token is the bytes of one or more characters, or a part of one. */
const texts = fc.array(fc.constantFrom(0x41, 0x20, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80, 0xe4, 0xbd, 0xa0), {
  maxLength: 200,
});
const whole = fc
  .string({ unit: 'grapheme', maxLength: 120 })
  .map((text) => [...new TextEncoder().encode(text)]);

/** Like SentencePiece's decoder: the first space of a text is dropped. */
const spaced: Decode = (ids) =>
  ids
    .map((id) => ` w${id}`)
    .join('')
    .slice(1);

/** Spaces before full stops are removed, as with `clean_up_tokenization_spaces`. */
const cleaned: Decode = (ids) =>
  ids
    .map((id) => ['a', ' ', '.', ' b', ' .'][id % 5])
    .join('')
    .replace(/ \./g, '.');

for (const [name, decode, ids, unstable] of [
  ['bytes of characters', bytes, whole, []],
  ['any bytes', bytes, texts, []],
  ['words', spaced, fc.array(fc.nat(5), { maxLength: 200 }), []],
  ['cleaned up spaces', cleaned, fc.array(fc.nat(4), { maxLength: 200 }), [' .']],
] as const) {
  t.test(`pieces are the text of all tokens: ${name}`, async (t) => {
    fc.assert(
      fc.property(ids, (ids) => {
        const { text, whole } = streamed(decode, ids, [], unstable);
        if (text !== decode(ids) || whole !== text) throw new Error(JSON.stringify([text, decode(ids)]));
      }),
      { numRuns: 300 },
    );
    t.pass();
  });
}

t.test('stop strings end a text wherever they fall', async (t) => {
  const stops = fc.array(
    fc.string({ unit: fc.constantFrom('A', ' ', 'é', '你'), minLength: 1, maxLength: 90 }),
    { minLength: 1, maxLength: 3 },
  );
  fc.assert(
    fc.property(whole, stops, (ids, stops) => {
      const all = bytes(ids);
      const cuts = stops.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
      const { text, stopped } = streamed(bytes, ids, stops);
      const expected = cuts.length > 0 ? all.slice(0, Math.min(...cuts)) : all;
      if (text !== expected || stopped !== cuts.length > 0) throw new Error(JSON.stringify([text, expected]));
    }),
    { numRuns: 300 },
  );
  const long = 'A'.repeat(500);
  t.equal(
    streamed(bytes, [...new TextEncoder().encode(`x${long}y`)], [`${long}y`]).text,
    'x',
    'longer than a window',
  );
});

t.test('a token costs the same however long the text is', async (t) => {
  const read = (file: string) => readFileSync(fixturePath(`grootl/grootl_tiny/${file}`) as string, 'utf8');
  const files = {
    'tokenizer.json': read('tokenizer.json'),
    'tokenizer_config.json': read('tokenizer_config.json'),
  };
  const tokenizer = (await TextTokenizer.load(files)) as TextTokenizer;
  let decoded = 0;
  const stream = new TextStream(
    (ids) => {
      decoded += ids.length;
      return tokenizer.decode(ids);
    },
    ['never there'],
  );
  const ids = Array.from({ length: 8000 }, (_, i) => 50 + ((i * 37) % 900));
  const pieces = ids.map((id, i) => stream.push(id, () => i === ids.length - 1));
  t.equal(pieces.join(''), tokenizer.decode(ids), 'added tokens among them');
  t.ok(decoded <= 60 * ids.length, `${decoded} tokens decoded for ${ids.length}`);
});
