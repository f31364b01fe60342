/** Tests instruction data: rows of files, prompts, labels. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fixturePath } from '../../testing/fixtures.js';
import { TextTokenizer } from '../models/text_tokenizer.js';
import { encodeInstruction, IGNORED_LABEL, instructionPrompt, parseInstructions } from './instructions.js';

const TINY = fixturePath('grootl/grootl_tiny') as string;

t.test('rows', async (t) => {
  const alpaca = { instruction: 'Name a colour.', input: '', output: 'Red' };
  const withInput = { instruction: 'Add.', input: '1, 2', output: '3' };
  const pair = { prompt: 'Q: x\nA:', completion: ' y' };
  const expected = [
    { prompt: '### Instruction:\nName a colour.\n\n### Response:', completion: 'Red' },
    { prompt: '### Instruction:\nAdd.\n\n### Input:\n1, 2\n\n### Response:', completion: '3' },
    pair,
  ];
  const rows = [alpaca, withInput, pair];
  const lines = rows.map((row) => JSON.stringify(row)).join('\r\n\n');
  for (const [layout, text] of Object.entries({
    lines,
    'byte order mark': `\ufeff${lines}\n`,
    array: JSON.stringify(rows, null, 1),
  })) {
    const parsed = parseInstructions(text);
    t.same(parsed.bad, [], layout);
    t.same(
      parsed.rows.map(({ row: _, ...instruction }) => instruction),
      expected,
      layout,
    );
  }
  t.same(
    parseInstructions(lines).rows.map(({ row }) => row),
    [1, 3, 5],
    'rows are lines',
  );
});

t.test('rows that cannot be used', async (t) => {
  const wrong: [string, RegExp][] = [
    ['{', /^is not JSON$/],
    ['[1]x', /^is not JSON$/],
    ['7', /^is 7, expected an object$/],
    ['null', /^is null, expected an object$/],
    ['{}', /^has no "instruction", expected texts/],
    ['{"instruction": 3, "output": "x"}', /^has 3 as "instruction"/],
    ['{"instruction": "x", "output": ""}', /^has an empty text as "output"$/],
    ['{"instruction": "x", "input": 1, "output": "x"}', /^has 1 as "input"/],
    ['{"prompt": "x"}', /^has no "completion"/],
    ['{"__proto__": {"prompt": "x", "completion": "y"}}', /^has no "instruction"/],
  ];
  const { rows, bad } = parseInstructions(
    [...wrong.map(([line]) => line), '{"prompt": "a", "completion": "b"}'].join('\n'),
  );
  t.same(
    rows.map(({ row }) => row),
    [wrong.length + 1],
    'the others are there',
  );
  for (const [i, [line, reason]] of wrong.entries()) {
    t.equal(bad[i].row, i + 1);
    t.match(bad[i].reason, reason, line);
  }
});

t.test('ids and labels', async (t) => {
  const texts = ['tokenizer.json', 'tokenizer_config.json'].map((file) => [
    file,
    readFileSync(join(TINY, file), 'utf8'),
  ]);
  const tokenizer = (await TextTokenizer.load(Object.fromEntries(texts))) as TextTokenizer;
  const instruction = { prompt: instructionPrompt('Name the capital of Italy.'), completion: ' Rome.' };
  const { ids, labels } = encodeInstruction(tokenizer, instruction, { endOfText: 0 });
  const prompt = tokenizer.encode(instruction.prompt);
  t.same(ids, [...tokenizer.encode(instruction.prompt + instruction.completion), 0]);
  t.same(labels.slice(0, prompt.length), Array(prompt.length).fill(IGNORED_LABEL));
  t.same(labels.slice(prompt.length), ids.slice(prompt.length));
  const short = encodeInstruction(tokenizer, instruction, { maxLength: prompt.length + 1 });
  t.equal(short.ids.length, prompt.length + 1, 'what is behind is cut off');
  t.throws(() => encodeInstruction(tokenizer, instruction, { maxLength: prompt.length }), {
    message: new RegExp(`has a prompt of ${prompt.length} tokens, expected fewer than ${prompt.length}`),
  });
  const whole = encodeInstruction(tokenizer, { prompt: '', completion: 'Rome is' });
  t.same(whole.labels[0], IGNORED_LABEL, 'nothing comes before the first token');
});
