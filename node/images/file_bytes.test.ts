/** Bytes of files, read on the calling thread and on others: the same bytes, and the same errors. */
import { execFileSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fileBytes, QuickFiles } from './file_bytes.js';

t.test('small and large files, pipes, folders and what is not there', async (t) => {
  const dir = t.testdir({ folder: {}, 'empty.png': '', 'small.png': 'some bytes' });
  const at = (name: string) => join(dir, name);
  const large = Buffer.alloc(2 ** 19, 'large');
  writeFileSync(at('large.png'), large);
  writeFileSync(at('huge.png'), '');
  truncateSync(at('huge.png'), 2 ** 30 + 1);
  execFileSync('mkfifo', [at('pipe')]);
  const quick = new QuickFiles();
  for (const bytesOf of [fileBytes, (file: string) => quick.bytes(file)]) {
    t.same(Buffer.from(await bytesOf(at('small.png'))), Buffer.from('some bytes'));
    t.ok(large.equals(await bytesOf(at('large.png'))));
    t.same((await bytesOf(at('empty.png'))).length, 0);
    for (const [name, message] of [
      ['missing.png', 'no such file'],
      ['folder', 'it is a directory'],
      ['pipe', 'it is not a regular file'],
      ['huge.png', '1073741825 bytes, at most 1073741824 are read'],
    ]) {
      await t.rejects(bytesOf(at(name)), { message }, name);
    }
  }
});
