/** Tokenizers of folders without a tokenizer.json. */
import t from 'tap';
import { TextTokenizer } from '../../plugin/models/text_tokenizer.js';
import { filesDirectory, inspectCheckpoint } from '../index.js';
import { converted, type Files, filesOf, json, TINY } from './testing/folders.js';

t.test('a tokenizer made of vocab.json and merges.txt', async (t) => {
  const whole = filesOf(TINY);
  const textOf = (name: string) => new TextDecoder().decode(whole.get(name));
  const { model, added_tokens: added } = JSON.parse(textOf('tokenizer.json'));
  const lines = ['#version: 0.2', ...model.merges, ''].join('\n');
  const base: Files = new Map([
    ...[...whole].filter(([name]) => name !== 'tokenizer.json'),
    ['vocab.json', json(model.vocab)],
    ['merges.txt', new TextEncoder().encode(lines)],
  ]);
  const texts = [
    'The maintainer of a package said: "it\'s 42 by 2024!"',
    'two  spaces,    four\tand\n\n  lines \r\n',
    'na\u00efve cafe\u0301 \u65e5\u672c\u8a9e \u{1f600} \u00ad\u200d',
    '<|endoftext|>a<|padding|> <|endoftext|>',
    ' ',
  ];
  const tokenizerOf = async (files: Files) => {
    const { files: written } = await converted(files);
    const named = (name: string) => new TextDecoder().decode(written.get(name) ?? json({}));
    const tokenizer = await TextTokenizer.load({
      'tokenizer.json': named('tokenizer.json'),
      'tokenizer_config.json': named('tokenizer_config.json'),
    });
    if (!tokenizer) throw new Error('no tokenizer');
    return { tokenizer, json: JSON.parse(named('tokenizer.json')) };
  };
  const expected = (await tokenizerOf(whole)).tokenizer;
  const byId = Object.fromEntries(
    added
      .filter(({ special }: { special: boolean }) => !special)
      .map(({ content, id }: { content: string; id: number }) => [content, id]),
  );
  const older: Files = new Map([
    ...base,
    ['added_tokens.json', json(byId)],
    ['tokenizer_config.json', json({ tokenizer_class: 'GPTNeoXTokenizer' })],
  ]);
  for (const [what, files] of [
    ['with added_tokens_decoder', base],
    ['with added_tokens.json and special_tokens_map.json', older],
  ] as const) {
    const made = await tokenizerOf(files);
    t.same(made.json.added_tokens, added, what);
    for (const text of texts) {
      const ids = expected.encode(text);
      t.same(made.tokenizer.encode(text), ids, `${what}: ${JSON.stringify(text)}`);
      t.equal(made.tokenizer.decode(ids), expected.decode(ids));
    }
  }
  const { ignored } = await inspectCheckpoint(filesDirectory(base));
  const row = ignored.find(({ name }) => name === 'tokenizer.json');
  t.match(row, { reason: /made of vocab.json and merges.txt \(byte-level BPE\)/ });

  const alone: Files = new Map([...base].filter(([name]) => !/token/.test(name)));
  t.match((await tokenizerOf(alone)).json, {
    added_tokens: [{ id: 0, content: '<|endoftext|>', special: true, normalized: false }],
    normalizer: null,
  });
  const begins = json({ add_bos_token: true, bos_token: '<|endoftext|>' });
  const { tokenizer } = await tokenizerOf(new Map([...alone, ['tokenizer_config.json', begins]]));
  t.equal(tokenizer.encode('The')[0], 0, 'a token for the beginning');

  for (const [what, name, bytes, message] of [
    ['a merge of no token', 'merges.txt', new TextEncoder().encode('\u0120 zzz\n'), /no token "zzz"/],
    [
      'an id beyond bounds',
      'vocab.json',
      json({ ...model.vocab, '\u0120zz': 2 ** 40 }),
      /made of vocab\.json/,
    ],
    ['a negative id', 'added_tokens.json', json({ x: -1 }), /made of vocab\.json/],
  ] as const) {
    await t.rejects(converted(new Map([...base, [name, bytes]])), { message }, what);
  }
  const pieces = json(Object.fromEntries(['\u2581the', '\u2581', 'the'].map((token, id) => [token, id])));
  const sentence: Files = new Map([
    ...alone,
    ['vocab.json', pieces],
    ['merges.txt', new TextEncoder().encode('\u2581 the\n')],
  ]);
  t.notOk((await converted(sentence)).files.has('tokenizer.json'), 'no byte-level vocabulary');
});
