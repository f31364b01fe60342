import { truncateSync } from 'node:fs';
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
  await t.rejects(fileSource(dir), { message: `cannot open ${dir}: it is a directory` });
  const missing = join(dir, 'missing');
  await t.rejects(fileSource(missing), { message: `cannot open ${missing}: no such file` });
});
