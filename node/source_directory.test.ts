import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sourceDirectory } from './source_directory.js';

t.test('files of a folder by name', async (t) => {
  const dir = t.testdir({ 'a.txt': 'abc', folder: {} });
  const directory = await sourceDirectory(dir);
  const file = await directory.open('a.txt');
  t.same(await file?.read(1, 2), Uint8Array.from(Buffer.from('bc')));
  t.equal(await directory.open('a.txt'), file, 'opened once');
  t.equal(await directory.open('b.txt'), undefined);
  for (const name of ['../a.txt', '/etc/passwd', '..', '.', 'folder/x', '']) {
    await t.rejects(directory.open(name), { message: /refused the file name/ }, name);
  }
  await t.rejects(directory.open('folder'), { message: /folder": it is a directory/ });
  await directory.close();
  await t.rejects(async () => file?.read(0, 1));
});

t.test('what is not a folder', async (t) => {
  const dir = t.testdir({});
  writeFileSync(join(dir, 'file'), '');
  await t.rejects(sourceDirectory(join(dir, 'none')), { message: /none": no such directory/ });
  await t.rejects(sourceDirectory(join(dir, 'file')), { message: /file": it is not a directory/ });
});

t.test('links stay within the folder, or in the cache that it belongs to', async (t) => {
  const dir = t.testdir({
    'secret.json': '{}',
    'weights.safetensors': 'x',
    blobs: { abc: 'cached' },
    snapshots: { main: { sub: { 'vocab.json': 'inside' } } },
    plain: {},
  });
  const link = (target: string, ...path: string[]) => symlinkSync(target, join(dir, ...path));
  link('../../blobs/abc', 'snapshots', 'main', 'config.json');
  link('sub/vocab.json', 'snapshots', 'main', 'vocab.json');
  link('../../secret.json', 'snapshots', 'main', 'merges.txt');
  link('../blobs/abc', 'plain', 'config.json');
  link('../secret.json', 'plain', 'vocab.json');
  link('/etc/passwd', 'plain', 'merges.txt');
  link('vocab.json', 'plain', 'tokenizer.json');
  link('../weights.safetensors', 'plain', 'model.safetensors');
  link('nowhere', 'plain', 'added_tokens.json');
  link('plain', 'folder-link');
  for (const [folder, file, expected] of [
    ['snapshots/main', 'config.json', 'cached'],
    ['snapshots/main', 'vocab.json', 'inside'],
    ['snapshots/main', 'merges.txt', /main\/merges.txt": the link leads out of the folder/],
    ['plain', 'config.json', /leads out of the folder/],
    ['plain', 'vocab.json', /leads out of the folder/],
    ['plain', 'merges.txt', /leads out of the folder/],
    ['plain', 'tokenizer.json', /leads out of the folder/],
    ['folder-link', 'vocab.json', /leads out of the folder/],
    ['plain', 'model.safetensors', 'x'],
    ['plain', 'added_tokens.json', /added_tokens.json": the link leads to nothing/],
  ] as const) {
    const directory = await sourceDirectory(join(dir, folder));
    const name = `${folder}/${file}`;
    if (typeof expected === 'string') {
      const source = await directory.open(file);
      t.equal(new TextDecoder().decode(await source?.read(0, source.size)), expected, name);
    } else {
      await t.rejects(directory.open(file), { message: expected }, name);
    }
    await directory.close();
  }
});

t.test('a change of any file that was opened', async (t) => {
  const dir = t.testdir({ 'a.json': 'a', 'b.json': 'b', 'c.json': 'c' });
  const directory = await sourceDirectory(dir);
  await directory.open('a.json');
  await directory.open('b.json');
  writeFileSync(join(dir, 'c.json'), 'not opened');
  await directory.checkUnchanged();
  writeFileSync(join(dir, 'b.json'), 'longer');
  await t.rejects(directory.checkUnchanged(), { message: /b.json: the file changed while it was read/ });
  await directory.close();
});
