/** Journals that cannot be written, and those that two runs continue. */
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { Journal } from './journal.js';

const IDENTITY = { kind: 'classify', model: 'abc', backend: 'cpu', options: { top: 1 } };
const folder = t.testdir();

async function written(journal: Journal, ...files: string[]): Promise<string[]> {
  for (const file of files) await journal.write({ file });
  const all: string[] = [];
  for await (const { file } of journal.all()) all.push(file);
  return all;
}

t.test('only one of two runs that resume the same one goes on', async (t) => {
  const path = join(folder, 'two.partial');
  const begun = await Journal.begin(path, IDENTITY);
  t.same(await written(begun, 'a'), ['a']);
  await begun.close();
  const [one, two] = [await Journal.resume(path, IDENTITY), await Journal.resume(path, IDENTITY)];
  if (!one || !two) return t.fail('there is a journal');
  t.equal(one.takeDone('a') && two.takeDone('a'), true);
  t.same(await written(one, 'b'), ['a', 'b']);
  const message = `${path} is written or was removed by another process`;
  await t.rejects(written(two, 'b'), { message });
  await two.close();
  t.same(await written(one, 'c'), ['a', 'b', 'c'], 'each once');
  await one.remove();
  await t.rejects(written(one), { message });
  await one.close();
});

t.test('a full disk: what was written can be resumed, an empty journal does not stay', async (t) => {
  const path = join(folder, 'full.partial');
  const handle = await open(join(folder, 'any'), 'w');
  const methods = Object.getPrototypeOf(handle);
  await handle.close();
  const { appendFile } = methods;
  const full = async function (this: typeof handle, bytes: Uint8Array) {
    await appendFile.call(this, bytes.subarray(0, 5));
    throw Object.assign(new Error(), { code: 'ENOSPC' });
  };
  t.teardown(() => {
    methods.appendFile = appendFile;
  });
  const message = `cannot write "${path}": no space left on the device`;
  methods.appendFile = full;
  await t.rejects(Journal.begin(path, IDENTITY), { message });
  t.notOk(existsSync(path));
  methods.appendFile = appendFile;
  const journal = await Journal.begin(path, IDENTITY);
  t.same(await written(journal, 'a'), ['a']);
  methods.appendFile = full;
  await t.rejects(written(journal, 'b'), { message });
  methods.appendFile = appendFile;
  await t.rejects(written(journal, 'c'), { message }, 'nothing follows half a row');
  await journal.close();
  t.match(readFileSync(path, 'utf8'), /\n\{"file":"a"\}\n\{"fil$/);
  const resumed = await Journal.resume(path, IDENTITY);
  if (!resumed) return t.fail('there is a journal');
  t.same(await written(resumed, 'b', 'c'), ['a', 'b', 'c']);
  await resumed.close();
});
