/** Configurations as text: what is read from them, and that nothing in an untrusted one is executed or takes long. */
import t from 'tap';
import { readConfigText, valueAt } from './config_text.js';

const plain = (value: unknown): unknown => {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  return Array.isArray(value) ? value.map(plain) : value;
};
const read = (text: string) => plain(readConfigText(text).values);

t.test('literals', async (t) => {
  for (const [text, value] of [
    ['1', 1],
    ['-0.25', -0.25],
    ['1e-05', 1e-5],
    ['1_000', 1000],
    ['.5', 0.5],
    ['True', true],
    ['None', null],
    [`'a\\'b'`, "a'b"],
    ['"a" \'b\'', 'ab'],
    ['"""two\nlines"""', 'two\nlines'],
    ['(1, 2)', [1, 2]],
    ['(1,)', [1]],
    ['(1)', 1],
    ['()', []],
    ['[[1, 2], [3]]', [[1, 2], [3]]],
    ['dict(a=1, b=dict(c=None))', { a: 1, b: { c: null } }],
    ["{'a': 1, 'b-c': (2, 3), 4: 5}", { a: 1, 'b-c': [2, 3] }],
    ['dict(\n    a=1,  # said\n    b=[\n        2,\n    ])', { a: 1, b: [2] }],
    ["dict(__proto__=1, constructor='x')", { ['__proto__']: 1, constructor: 'x' }],
  ] as const) {
    t.same(read(`x = ${text}\ny = 1\n`), { x: value, y: 1 }, text);
    t.same(read(`x = ${text}`), { x: value }, `${text}, at the end`);
  }
});

t.test('what is not a literal is unknown, and what stands beside it is read', async (t) => {
  for (const expression of [
    'name',
    'a.b',
    'f(1, [2, dict(a=3)])',
    '1 + 2',
    "__import__('os').system('id')",
    'lambda x: x',
    '[i for i in range(3)]',
    "'a' % b",
    '512 * 2',
    '3 if a else 4',
    'not True',
    'float("inf")',
    'x[0]',
  ]) {
    t.match(
      read(`x = dict(a=${expression}, b=2)\ny = ${expression}\nz = 3\n`),
      { x: { b: 2 }, z: 3 },
      expression,
    );
  }
  t.same(read('x = f(1)\ny = 2'), { x: undefined, y: 2 });
});

t.test('statements that are not assignments are left out and counted', async (t) => {
  const text = 'import os\nx = 1\nx == 2\nfor i in y:\n    z = 3\nos.system("id")\nw = 4\nv = (1\nu = 5\n';
  const { values, problem } = readConfigText(text);
  t.same(plain(values), { x: 1, w: 4, u: 5 });
  t.match(problem, /^\d+ of its statements are not assignments of literals$/);
  t.equal(readConfigText('x = 1\n').problem, undefined);
  t.same(read('x = 1\nx = 2'), { x: 2 }, 'the last assignment counts');
});

t.test('values under keys', async (t) => {
  const { values } = readConfigText('model = dict(test_cfg=dict(mode="slide"))');
  t.equal(valueAt(values, 'model', 'test_cfg', 'mode'), 'slide');
  t.equal(valueAt(values, 'model', 'mode', 'size'), undefined);
  t.equal(valueAt(values, 'model', 'size'), undefined);
});

/** Maximum CPU time in milliseconds for the largest text that is accepted: a quadratic reader takes minutes. */
const TIME = 3000;

for (const [what, text] of [
  ['deep lists', `x = ${'['.repeat(500_000)}`],
  ['deep lists, closed', `x = ${'['.repeat(200_000)}${']'.repeat(200_000)}`],
  ['deep dicts, each on a line', 'x=dict(\n'.repeat(100_000)],
  ['deep calls', `x = ${'f('.repeat(400_000)}`],
  ['many values', `x = [${'1,'.repeat(520_000)}]`],
  ['many statements', 'x=1\n'.repeat(250_000)],
  ['many that fail', 'x=(\n'.repeat(250_000)],
  ['a text without end', `x = '${"\\'".repeat(500_000)}`],
  ['texts without end in an expression', `x = f ${"\\'".repeat(500_000)}`],
  ['texts of three quotes without end', `x='''\\'''\n`.repeat(100_000)],
  ['blanks', `x = ${' '.repeat(1_000_000)}`],
  ['comments', `x = [${'#\n'.repeat(500_000)}`],
  ['one long name', `x${'y'.repeat(1_000_000)}`],
  ['one long number', `x = ${'1'.repeat(1_000_000)}`],
  ['dots and digits', `x = ${'1.'.repeat(500_000)}`],
  ['quotes', `x = ${"'".repeat(1_000_001)}`],
  ['too much', ' '.repeat(2 ** 20 + 1)],
] as const) {
  t.test(`${what}: read within bounds`, async (t) => {
    const start = process.cpuUsage();
    t.doesNotThrow(() => readConfigText(text));
    const { user, system } = process.cpuUsage(start);
    const ms = (user + system) / 1000;
    t.ok(ms < TIME, `${ms} ms`);
  });
}
