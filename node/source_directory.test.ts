import { writeFileSync } from 'node:fs';
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
  await t.rejects(directory.open('folder'), { message: /folder: it is a directory/ });
  await directory.close();
  await t.rejects(async () => file?.read(0, 1));
});

t.test('what is no folder', async (t) => {
  const dir = t.testdir({});
  writeFileSync(join(dir, 'file'), '');
  await t.rejects(sourceDirectory(join(dir, 'none')), { message: /none: no such directory/ });
  await t.rejects(sourceDirectory(join(dir, 'file')), { message: /file: it is not a directory/ });
});
