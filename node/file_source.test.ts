import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fileSource } from './file_source.js';

t.test('reads any range, also several at once', async (t) => {
  const file = join(t.testdir({ bytes: Buffer.from(Array.from({ length: 200 }, (_, i) => i)) }), 'bytes');
  const source = await fileSource(file);
  t.equal(source.name, file);
  t.equal(source.size, 200);
  const [head, tail, none] = await Promise.all([source.read(0, 3), source.read(198, 2), source.read(200, 0)]);
  t.same([...head], [0, 1, 2]);
  t.same([...tail], [198, 199]);
  t.equal(none.length, 0);
  await source.close();
  await t.rejects(source.read(0, 1));
});

t.test('ranges outside the file and files that shrink are errors', async (t) => {
  const file = join(t.testdir({ bytes: 'abcdefghij' }), 'bytes');
  const source = await fileSource(file);
  for (const [offset, length] of [
    [0, 11],
    [10, 1],
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
  ]) {
    await t.rejects(source.read(offset, length), { message: /outside its 10 bytes/ }, `${offset}, ${length}`);
  }
  truncateSync(file, 4);
  await t.rejects(source.read(2, 5), { message: `${file}: ends at byte 4, shorter than when opened` });
  await source.close();
});

t.test('only regular files that are there', async (t) => {
  const dir = t.testdir({});
  await t.rejects(fileSource(dir), { message: `cannot open "${dir}": it is a directory` });
  const missing = join(dir, 'missing');
  await t.rejects(fileSource(missing), { message: `cannot open "${missing}": no such file` });
});

t.test('pipes, devices and sockets are refused without opening them', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'source-')); // the path of a socket must be short
  t.teardown(() => rmSync(dir, { recursive: true }));
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  symlinkSync('/dev/zero', join(dir, 'zero'));
  symlinkSync('pipe', join(dir, 'link'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(dir, 'socket'), resolve));
  for (const name of ['pipe', 'link', 'zero', 'socket']) {
    const file = join(dir, name);
    await t.rejects(fileSource(file), { message: `cannot open "${file}": it is not a regular file` }, name);
  }
  await new Promise((resolve) => server.close(resolve));
});

t.test('a file that changes while it is read', async (t) => {
  const changes: Record<string, (file: string) => void> = {
    'rewritten in place, the same size': (file) => writeFileSync(file, 'ABCDEFGHIJ'),
    appended: (file) => writeFileSync(file, 'more', { flag: 'a' }),
    'replaced by another, with the same time and size': (file) => {
      const { atime, mtime } = statSync(file);
      writeFileSync(`${file}.new`, 'ABCDEFGHIJ');
      utimesSync(`${file}.new`, atime, mtime);
      renameSync(`${file}.new`, file);
    },
    removed: (file) => unlinkSync(file),
  };
  for (const [name, change] of Object.entries(changes)) {
    const file = join(t.testdir({ bytes: 'abcdefghij' }), 'bytes');
    const source = await fileSource(file);
    await source.read(0, 5);
    await source.checkUnchanged();
    await new Promise((resolve) => setTimeout(resolve, 20)); // file system timestamps have a coarse resolution
    change(file);
    const expected = { name: 'CheckpointError', message: `${file}: the file changed while it was read` };
    await t.rejects(source.read(5, 5), expected, name);
    await t.rejects(source.checkUnchanged(), expected, name);
    await source.close();
  }
});
