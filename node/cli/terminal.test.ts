import t from 'tap';
import { inline, jsonText, multiline, showsColours } from './terminal.js';

const CONTROLS = [
  ...Array(0x20).keys(),
  0x7f,
  0x80,
  0x85,
  0x9b,
  0x9f,
  0x2028,
  0x2029,
  0x202a,
  0x202e,
  0x2066,
  0x2069,
].map((code) => String.fromCharCode(code));

const hex = (character: string) => character.charCodeAt(0).toString(16);

t.test('no control character is left in a name', async (t) => {
  for (const control of CONTROLS) {
    const shown = inline(`a${control}b`);
    t.match(shown, /^a\\(n|r|t|u[0-9a-f]{4})b$/, hex(control));
  }
  t.equal(inline('Zoë 日本 👩‍👧 "x" \\'), 'Zoë 日本 👩‍👧 "x" \\', 'all other text is as it was');
});

t.test('long names are cut, never in the middle of a character', async (t) => {
  t.equal(inline('x'.repeat(1e6)), `${'x'.repeat(200)}...`);
  t.equal(inline('👩'.repeat(9), 5), '👩👩...');
});

t.test('line feeds and tabs of texts stay', async (t) => {
  t.equal(multiline('a\n\tb\r\nc\rd\x1b[2J'), 'a\n\tb\r\nc\\rd\\u001b[2J');
  for (const control of CONTROLS.filter((each) => !'\n\t'.includes(each))) {
    t.notMatch(multiline(`a${control}b`), control, hex(control));
  }
});

t.test('JSON stays the same document', async (t) => {
  const value = { [`key${CONTROLS.join('')}`]: [CONTROLS.join(''), 'ü', 1] };
  const text = jsonText(value);
  t.same(JSON.parse(text), value);
  for (const control of CONTROLS.filter((each) => each !== '\n'))
    t.notOk(text.includes(control), hex(control));
});

t.test('colours: FORCE_COLOR, then NO_COLOR and TERM, then the terminal', async (t) => {
  const kept = { ...process.env };
  t.teardown(() => Object.assign(process.env, kept));
  for (const [environment, isTTY, expected] of [
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
    [{ TERM: 'dumb' }, true, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ FORCE_COLOR: '3', NO_COLOR: '1' }, false, true],
  ] as const) {
    for (const name of ['FORCE_COLOR', 'NO_COLOR', 'TERM']) delete process.env[name];
    Object.assign(process.env, environment);
    t.equal(
      showsColours({ isTTY } as typeof process.stdout),
      expected,
      JSON.stringify({ environment, isTTY }),
    );
  }
});
