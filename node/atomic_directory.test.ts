import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openAtomicDirectory } from './atomic_directory.js';

async function* pieces() {
  yield Buffer.from('piece by ');
  yield Buffer.from('piece');
}

t.test('nothing is at the path before commit, everything after', async (t) => {
  const root = t.testdir({});
  const path = join(root, 'new', 'parent', 'out');
  const output = await openAtomicDirectory(path);
  await output.write('text.json', '{"é":1}');
  await output.write('bytes.bin', Uint8Array.of(0, 255));
  await output.write('list.bin', [Uint8Array.of(1), Uint8Array.of(2, 3)]);
  await output.write('stream.txt', pieces());
  await output.write('empty.bin', []);
  t.notOk(existsSync(path));
  await output.commit();
  t.same(readdirSync(path).sort(), ['bytes.bin', 'empty.bin', 'list.bin', 'stream.txt', 'text.json']);
  t.equal(readFileSync(join(path, 'text.json'), 'utf8'), '{"é":1}');
  t.same([...readFileSync(join(path, 'bytes.bin'))], [0, 255]);
  t.same([...readFileSync(join(path, 'list.bin'))], [1, 2, 3]);
  t.equal(readFileSync(join(path, 'stream.txt'), 'utf8'), 'piece by piece');
  t.equal(statSync(join(path, 'empty.bin')).size, 0);
  t.same(readdirSync(join(root, 'new', 'parent')), ['out'], 'no temporary folder is left');
  mkdirSync(join(root, 'plain'));
  t.equal(statSync(path).mode, statSync(join(root, 'plain')).mode, 'with the permissions of any new folder');
  await output.abort();
  t.ok(existsSync(path), 'abort after commit does nothing');
  await t.rejects(output.write('late', ''), { message: /already committed or aborted/ });
  await t.rejects(output.commit(), { message: /already committed or aborted/ });
});

t.test('abort leaves nothing, an empty target is fine', async (t) => {
  const root = t.testdir({ out: {} });
  const path = join(root, 'out');
  const first = await openAtomicDirectory(path);
  await first.write('file', 'x');
  await first.abort();
  await first.abort();
  t.same(readdirSync(root), ['out']);
  const second = await openAtomicDirectory(path);
  await second.write('file', 'y');
  await second.commit();
  t.equal(readFileSync(join(path, 'file'), 'utf8'), 'y');
});

t.test('existing content is never overwritten', async (t) => {
  const root = t.testdir({ full: { kept: 'kept' }, file: 'kept' });
  await t.rejects(openAtomicDirectory(join(root, 'full')), {
    message: `cannot write to "${join(root, 'full')}": the directory exists and is not empty`,
  });
  await t.rejects(openAtomicDirectory(join(root, 'file')), {
    message: `cannot write to "${join(root, 'file')}": it is not a directory`,
  });
  await t.rejects(openAtomicDirectory(join(root, 'file', 'out')), { message: /^cannot write to / });
  const late = await openAtomicDirectory(join(root, 'late'));
  await late.write('mine', '');
  mkdirSync(join(root, 'late'));
  writeFileSync(join(root, 'late', 'theirs'), '');
  await t.rejects(late.commit(), { message: /the directory exists and is not empty/ });
  await late.abort();
  t.same(readdirSync(join(root, 'late')), ['theirs']);
  t.same(readdirSync(root).sort(), ['file', 'full', 'late']);
});

t.test('file names stay inside the folder and are written once', async (t) => {
  const output = await openAtomicDirectory(join(t.testdir({}), 'out'));
  for (const name of [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\\b',
    '.hidden',
    'nul\0',
    'C:x',
    'ü',
    'a'.repeat(201),
  ]) {
    await t.rejects(output.write(name, ''), { message: /unsafe file name/ }, JSON.stringify(name));
  }
  await output.write('model.json', '1');
  await t.rejects(output.write('model.json', '2'), { message: /model\.json": it is already written/ });
  await output.abort();
});

t.test('listeners on the process last only as long as a folder is open', async (t) => {
  const root = t.testdir({});
  const count = () => ['exit', 'SIGINT', 'SIGTERM', 'SIGHUP'].map((event) => process.listenerCount(event));
  const before = count();
  const a = await openAtomicDirectory(join(root, 'a'));
  const b = await openAtomicDirectory(join(root, 'b'));
  t.same(
    count(),
    before.map((n) => n + 1),
  );
  await a.commit();
  t.same(
    count(),
    before.map((n) => n + 1),
  );
  await b.abort();
  t.same(count(), before);
});

t.test('a process that ends early leaves nothing behind', async (t) => {
  // The built files: processes that transpile first are slow to start.
  const module = JSON.stringify(new URL('../dist/node/atomic_directory.js', import.meta.url).href);
  const program = `
    const { openAtomicDirectory } = await import(${module});
    const output = await openAtomicDirectory(process.argv[2]);
    await output.write('file', 'x');
    if (process.argv[3] === 'own') process.on('SIGINT', () => process.exit(7));
    if (process.argv[3] === 'exit') process.exit(3);
    console.log('written');
    setInterval(() => {}, 1000);
  `;
  for (const [how, code, signal] of [
    ['SIGINT', null, 'SIGINT'],
    ['SIGTERM', null, 'SIGTERM'],
    ['SIGHUP', null, 'SIGHUP'],
    ['own', 7, null],
    ['exit', 3, null],
  ] as const) {
    const root = t.testdir({ 'program.mjs': program, place: {} });
    const place = join(root, 'place');
    const child = spawn(process.execPath, [join(root, 'program.mjs'), join(place, 'out'), how]);
    const ended = once(child, 'exit');
    if (how !== 'exit') {
      await once(child.stdout, 'data');
      t.equal(readdirSync(place).length, 1, 'the temporary folder is there');
      child.kill(how === 'own' ? 'SIGINT' : how);
    }
    t.same(await ended, [code, signal], how);
    t.same(readdirSync(place), [], how);
  }
});

t.test('what a killed process left goes with the next output', async (t) => {
  const root = t.testdir({ existing: {} });
  const program = `
    const { openAtomicDirectory } = await import(${JSON.stringify(new URL('../dist/node/atomic_directory.js', import.meta.url).href)});
    for (const path of ['new', 'existing']) await (await openAtomicDirectory(path)).write('file', 'x');
    console.log('written');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
  await once(child.stdout, 'data');
  const during = await openAtomicDirectory(join(root, 'new'));
  await during.abort();
  t.equal(readdirSync(root).length, 2, 'of a running process nothing is removed');
  child.kill('SIGKILL');
  await once(child, 'exit');
  t.same([readdirSync(root).length, readdirSync(join(root, 'existing')).length], [2, 1]);
  for (const path of ['new', 'existing']) {
    const output = await openAtomicDirectory(join(root, path));
    await output.write('file', 'y');
    await output.commit();
    t.same(readdirSync(join(root, path)), ['file']);
  }
  t.same(readdirSync(root).sort(), ['existing', 'new']);
});

t.test('parents that were made go again', async (t) => {
  const root = t.testdir({ there: {} });
  const aborted = await openAtomicDirectory(join(root, 'there', 'a', 'b', 'out'));
  await aborted.abort();
  t.same(readdirSync(join(root, 'there')), []);
  const first = await openAtomicDirectory(join(root, 'there', 'a', 'b', 'first'));
  writeFileSync(join(root, 'there', 'a', 'theirs'), '');
  await first.abort();
  t.same(readdirSync(join(root, 'there', 'a')), ['theirs'], 'but not with what others put there');
});

t.test('a folder that exists keeps its identity, permissions and links', async (t) => {
  const root = t.testdir({ out: {}, file: '' });
  chmodSync(join(root, 'out'), 0o750);
  symlinkSync('out', join(root, 'link'));
  symlinkSync('new', join(root, 'dangling'));
  symlinkSync('file', join(root, 'to-file'));
  const { ino } = statSync(join(root, 'out'));
  for (const name of ['link', 'dangling']) {
    const output = await openAtomicDirectory(join(root, name));
    await output.write('file', name);
    t.notOk(existsSync(join(root, name, 'file')), 'nothing before the end');
    await output.commit();
    t.equal(readFileSync(join(root, name, 'file'), 'utf8'), name);
    t.ok(lstatSync(join(root, name)).isSymbolicLink());
  }
  t.equal(statSync(join(root, 'out')).ino, ino);
  t.equal(statSync(join(root, 'out')).mode & 0o777, 0o750);
  await t.rejects(openAtomicDirectory(join(root, 'to-file')), { message: /it is not a directory/ });
  await t.rejects(openAtomicDirectory(''), { message: /the path is empty/ });
});

t.test('replacing', async (t) => {
  const root = t.testdir({ out: { old: 'old', gone: 'old', kept: 'kept', folder: {} } });
  const path = join(root, 'out');
  const output = await openAtomicDirectory(path, { replace: ['gone', 'never there'] });
  await output.write('old', 'new');
  await output.commit();
  t.same(readdirSync(path).sort(), ['folder', 'kept', 'old']);
  t.equal(readFileSync(join(path, 'old'), 'utf8'), 'new');
  const onFolder = await openAtomicDirectory(path, { replace: ['old'] });
  await onFolder.write('folder', 'new');
  await t.rejects(onFolder.commit(), { message: /folder in it is not a regular file/ });
  await onFolder.abort();
  t.same(readdirSync(path).sort(), ['folder', 'kept', 'old'], 'all is as before');
});
