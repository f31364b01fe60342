import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { isRegularOutput, writeFileAtomically } from './atomic_file.js';

const BYTES = new TextEncoder().encode('new content');
/** The built files: processes that transpile first are slow to start. */
const built = (file: string) => JSON.stringify(new URL(`../dist/node/${file}`, import.meta.url).href);

t.test('a regular file, new or replaced, keeps its permissions', async (t) => {
  const dir = t.testdir({ old: 'old' });
  chmodSync(join(dir, 'old'), 0o640);
  for (const name of ['new', 'old']) {
    await writeFileAtomically(join(dir, name), BYTES);
    t.equal(readFileSync(join(dir, name), 'utf8'), 'new content');
  }
  t.equal(statSync(join(dir, 'old')).mode & 0o777, 0o640);
  t.same(readdirSync(dir).sort(), ['new', 'old'], 'nothing is left beside');
});

t.test('links stay, and what they lead to is replaced', async (t) => {
  const dir = t.testdir({ target: 'old', folder: { target: 'old' } });
  symlinkSync('target', join(dir, 'link'));
  symlinkSync('link', join(dir, 'to-link'));
  symlinkSync('new', join(dir, 'dangling'));
  symlinkSync('folder', join(dir, 'folder-link'));
  symlinkSync('../target', join(dir, 'folder', 'up'));
  for (const [path, target] of [
    ['link', 'target'],
    ['to-link', 'target'],
    ['dangling', 'new'],
    ['folder-link/target', 'folder/target'],
    ['folder-link/up', 'target'],
  ]) {
    writeFileSync(join(dir, 'target'), 'old');
    await writeFileAtomically(join(dir, path), BYTES);
    t.equal(readFileSync(join(dir, target), 'utf8'), 'new content', path);
  }
  t.equal(readlinkSync(join(dir, 'to-link')), 'link');
  t.ok(lstatSync(join(dir, 'dangling')).isSymbolicLink());
  symlinkSync('b', join(dir, 'a'));
  symlinkSync('a', join(dir, 'b'));
  await t.rejects(writeFileAtomically(join(dir, 'a'), BYTES), {
    message: /cannot write .*a": too many links/,
  });
});

t.test('pipes and devices are written into', async (t) => {
  const dir = t.testdir({});
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  symlinkSync('pipe', join(dir, 'link'));
  for (const name of ['pipe', 'link']) {
    const [read] = await Promise.all([
      readFile(join(dir, 'pipe'), 'utf8'),
      writeFileAtomically(join(dir, name), BYTES),
    ]);
    t.equal(read, 'new content', name);
  }
  t.ok(lstatSync(join(dir, 'pipe')).isFIFO());
  // Uses links of its own: a bug would replace these and not the devices of the machine.
  symlinkSync('/dev/null', join(dir, 'null'));
  symlinkSync('/dev/full', join(dir, 'full'));
  await writeFileAtomically(join(dir, 'null'), BYTES);
  await t.rejects(writeFileAtomically(join(dir, 'full'), BYTES), {
    message: `cannot write "${join(dir, 'full')}": no space left on the device`,
  });
  for (const name of ['null', 'full']) t.ok(statSync(join(dir, name)).isCharacterDevice(), name);
});

t.test('the open files of the process, whatever they are', async (t) => {
  const dir = t.testdir({
    'program.mjs': `await (await import(${built('atomic_file.js')})).writeFileAtomically(process.argv[2], Buffer.from('x'.repeat(300000)))`,
  });
  const run = (path: string, stdio: string) =>
    execFileSync('sh', ['-c', `"$0" program.mjs ${path} ${stdio}`, process.execPath], {
      cwd: dir,
      encoding: 'utf8',
    });
  // Not /dev/stdout itself, which a bug could replace for the whole machine.
  symlinkSync('/dev/stdout', join(dir, 'link'));
  for (const path of ['/dev/fd/1', '/proc/self/fd/1', 'link']) {
    t.equal(run(path, '| cat').length, 300000, path);
  }
  t.equal(run('link', '').length, 300000, 'a socket');
  run('/dev/fd/3', '3> three');
  run('link', '> whole; echo more >> whole');
  t.equal(readFileSync(join(dir, 'three')).length, 300000);
  t.match(readFileSync(join(dir, 'whole'), 'utf8'), /x{300}more\n$/);
  t.ok(lstatSync(join(dir, 'link')).isSymbolicLink());
});

t.test('what is refused, with what there was still there', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'atomic-')); // the path of a socket must be short
  t.teardown(() => rmSync(dir, { recursive: true }));
  mkdirSync(join(dir, 'folder'));
  writeFileSync(join(dir, 'file'), 'kept');
  const socket = createServer().listen(join(dir, 'socket'));
  await once(socket, 'listening');
  for (const [path, message] of [
    ['', 'cannot write "": the path is empty'],
    [join(dir, 'folder'), /folder": it is a directory$/],
    [`${join(dir, 'new')}/`, /new\/": it is a directory$/],
    [join(dir, '..'), /it is a directory$/],
    [join(dir, 'none', 'x'), /x": its folder does not exist$/],
    [join(dir, 'file', 'x'), /x": a part of its path is not a directory$/],
    [join(dir, 'socket'), /socket": it is a socket$/],
    [join(dir, 'n'.repeat(300)), /n": the name is too long$/],
  ] as const) {
    await t.rejects(writeFileAtomically(path, BYTES), { message }, path);
  }
  t.same(readdirSync(dir).sort(), ['file', 'folder', 'socket']);
  t.equal(readFileSync(join(dir, 'file'), 'utf8'), 'kept');
  await new Promise((resolve) => socket.close(resolve));
});

t.test('a process that is killed leaves what the next output removes, and only that', async (t) => {
  const program = `
    const { remember, unfinishedPath } = await import(${built('unfinished.js')});
    const { mkdirSync, writeFileSync } = await import('node:fs');
    const path = unfinishedPath(process.cwd(), 'out');
    remember(path);
    mkdirSync(path);
    writeFileSync(path + '/weights', 'x');
    console.log('written');
    setInterval(() => {}, 1000);
  `;
  const dir = t.testdir({ 'program.mjs': program, files: {} });
  const files = join(dir, 'files');
  const start = async () => {
    const child = spawn(process.execPath, [join(dir, 'program.mjs')], { cwd: files });
    await once(child.stdout, 'data');
    return child;
  };
  const [killed, running] = await Promise.all([start(), start()]);
  t.equal(readdirSync(files).length, 2);
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  mkdirSync(join(files, '.kept.partial'));
  mkdirSync(join(files, `.other.00000000-1-00000000.partial`));
  await writeFileAtomically(join(files, 'out'), BYTES);
  const left = readdirSync(files).sort();
  t.match(
    left.find((name) => name.startsWith('.out')),
    new RegExp(`-${running.pid}-`),
    'of the running process',
  );
  t.same(
    left.filter((name) => !name.startsWith('.out')),
    ['.kept.partial', '.other.00000000-1-00000000.partial', 'out'],
  );
  running.kill('SIGHUP');
  t.same(await once(running, 'exit'), [null, 'SIGHUP']);
  t.notOk(
    readdirSync(files).some((name) => name.startsWith('.out')),
    'a hang-up leaves nothing',
  );
  t.notOk(existsSync(join(files, '.out')));
});

t.test('a folder that may not be written to is found before the work', async (t) => {
  const locked = join(t.testdir({ locked: {} }), 'locked');
  chmodSync(locked, 0o555);
  const file = JSON.stringify(join(locked, 'out'));
  const script = `import { isRegularOutput } from ${built('atomic_file.js')};
await isRegularOutput(${file}).catch(({ message }) => console.log(message));`;
  const nobody = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}; // root may write everywhere
  const program = ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '-e', script];
  const said = execFileSync('env', program, nobody);
  t.equal(String(said), `cannot write "${join(locked, 'out')}": permission denied\n`);
  chmodSync(locked, 0o755);
  t.equal(await isRegularOutput(join(locked, 'out')), true);
});
