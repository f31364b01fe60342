/** Which images arguments, folders, patterns and lists name. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fileBytes } from '../images/file_bytes.js';
import { type ImageInput, type InputOptions, imageInputs } from './inputs.js';
import { listedNames } from './name_list.js';

const folder = t.testdir({
  'a.PNG': '',
  'a-b.png': '',
  a: { 'z.jpg': '', 'notes.txt': '', deep: { 'x.webp': '' } },
  'b[1].png': '',
  'b1.png': '',
  empty: {},
});
const at = (name: string) => join(folder, name);

async function inputsOf(paths: string[], options: InputOptions = {}): Promise<ImageInput[]> {
  const inputs: ImageInput[] = [];
  for await (const input of imageInputs(paths, options)) inputs.push(input);
  return inputs;
}

async function* pieces(text: string | Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; i += length) yield bytes.subarray(i, i + length);
}

async function filesOf(paths: string[], options?: InputOptions): Promise<string[]> {
  const inputs = await inputsOf(paths, options);
  return inputs.map(({ file, problem }) => problem ?? file.replace(`${folder}/`, ''));
}

t.test('folders: all images below, by path', async (t) => {
  symlinkSync(folder, at('empty/circle'));
  const all = ['a-b.png', 'a.PNG', 'a/deep/x.webp', 'a/z.jpg', 'b1.png', 'b[1].png'];
  t.same(await filesOf([folder]), all);
  t.same(await filesOf([at('a'), at('b1.png'), 'https://example.org/x']), [
    'a/deep/x.webp',
    'a/z.jpg',
    'b1.png',
    'https://example.org/x',
  ]);
  t.match(await filesOf([at('empty')]), [/empty" holds no images; expected \.png, \.jpg/]);
  t.same(await filesOf([at('none.png')]), ['none.png'], 'that it is not there is found when it is read');
});

t.test('a folder that cannot be read is one input with its problem', async (t) => {
  if (process.getuid?.() === 0) return t.pass('root reads everything');
  mkdirSync(at('a/locked'));
  chmodSync(at('a/locked'), 0);
  t.match(await filesOf([at('a')]), [
    'a/deep/x.webp',
    /cannot read the folder .*locked": permission/,
    'a/z.jpg',
  ]);
});

t.test('patterns, where there is no such file', async (t) => {
  t.same(await filesOf([at('*.png')]), ['a-b.png', 'b1.png', 'b[1].png']);
  t.same(await filesOf([at('**/*')]), ['a-b.png', 'a.PNG', 'a/deep/x.webp', 'a/z.jpg', 'b1.png', 'b[1].png']);
  t.same(await filesOf([at('b[1].png')]), ['b[1].png'], 'a file of this name');
  t.match(await filesOf([at('*.gif')]), [/\*\.gif" matches no images; expected \.png/]);
});

t.test('lists: lines or NUL characters, in pieces of any length', async (t) => {
  const files = [at('b1.png'), at('a'), 'https://example.org/ü'];
  const expected = ['b1.png', 'a/deep/x.webp', 'a/z.jpg', 'https://example.org/ü'];
  for (const [separator, length] of [
    ['\n', 1],
    ['\r\n', 3],
    ['\0', 7],
    ['\n', 1000],
  ] as const) {
    const text = `${files.join(separator)}${separator}`;
    const name = JSON.stringify([separator, length]);
    t.same(await filesOf(['-'], { standardInput: pieces(text, length) }), expected, name);
    writeFileSync(at('list'), text);
    t.same(await filesOf([at('a-b.png')], { list: at('list') }), ['a-b.png', ...expected], name);
  }
  t.same(await filesOf(['-'], { standardInput: pieces(`${at('b1.png')}\n\n \t\r\n-\n`, 9) }), ['b1.png']);
  t.same(await filesOf(['-'], { standardInput: pieces('two\nlines.png\0 \0', 99) }), ['two\nlines.png', ' ']);
  const marked = pieces(`\ufeff${at('b1.png')}\n`, 2);
  t.same(await filesOf(['-'], { standardInput: marked }), ['b1.png'], 'a byte order mark');
  t.same(await filesOf(['-'], { standardInput: pieces(at('*.png'), 99) }), ['*.png'], 'no pattern in a list');
});

t.test('what is not a list', async (t) => {
  for (const [expected, text] of [
    [/^standard input is not UTF-8; expected a list of file names$/, Uint8Array.of(0x89, 0x50, 0x4e, 0x47)],
    [/^standard input is not UTF-8/, Uint8Array.of(0x61, 0xc3)],
    [/^standard input has a name of more than 65536 bytes; expected a list/, 'x'.repeat(70_000)],
  ] as const) {
    await t.rejects(inputsOf(['-'], { standardInput: pieces(text, 1000) }), { message: expected });
  }
  await t.rejects(inputsOf([], { list: at('gone') }), {
    message: /^cannot read the list .*gone": no such file$/,
  });
  await t.rejects(inputsOf([], { list: folder }), {
    message: /^cannot read the list .*": it is a directory$/,
  });
  t.same(await filesOf(['-'], { standardInput: pieces('\n\n', 9) }), ['standard input names no images']);
  writeFileSync(at('nothing'), '');
  t.match(await filesOf([], { list: at('nothing') }), [/nothing" names no images/]);
});

t.test(
  'names that are not UTF-8 are inputs with a problem',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const latin = Buffer.concat([Buffer.from(`${at('latin')}/`), Buffer.from('\xfc.png', 'latin1')]);
    mkdirSync(at('latin'));
    writeFileSync(latin, '');
    const shown = `${at('latin')}/\ufffd.png`;
    const [found] = await filesOf([at('latin')]);
    await t.rejects(fileBytes(join(folder, found)), { message: 'its name is not UTF-8' });
    for (const separator of ['\n', '\0']) {
      const names = [Buffer.from(at('b1.png')), latin, Buffer.from(at('a-b.png'))];
      const list = names.flatMap((name) => [name, Buffer.from(separator)]);
      for (const length of [1, 1000]) {
        const standardInput = pieces(Buffer.concat(list), length);
        const expected = ['b1.png', `cannot read "${shown}": its name is not UTF-8`, 'a-b.png'];
        t.same(await filesOf(['-'], { standardInput }), expected);
      }
    }
  },
);

t.test('names come before the list has ended', async (t) => {
  const endless = async function* () {
    while (true) yield Buffer.from('a.png\n');
  };
  let count = 0;
  for await (const { name } of listedNames(endless(), 'endless')) {
    t.equal(name, 'a.png');
    if (++count === 3) break;
  }
});
