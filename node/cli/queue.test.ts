/** The queue commands with a real server; the built program does the work, since its threads need built files. */
import { cp, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import type { MemorySink } from '../../converters/index.js';
import { grootvl, grootvlChild, grootvlProcess, grootvlWith } from '../../testing/command_line.js';
import { noRedis, RedisServer } from '../../testing/redis_server.js';
import { stubDetector, stubSegmenter } from '../../testing/stub_models.js';

const DIGITS = 'examples/digits';
const NANO = 'fixtures/grootv/grootv_nano_mnist.pth';

t.test('bad usage is told without a server', async (t) => {
  const cases: readonly (readonly [args: string[], why: RegExp])[] = [
    [['status', '--name', 'x'], /no Redis server is named: expected --redis <url>, or GROOTVL_REDIS_URL/],
    [['status', '--redis', 'redis://h'], /required option '--name <run>'/],
    [['status', '--name', 'a b', '--redis', 'redis://h'], /expected letters, digits/],
    [['status', '--name', 'x', '--redis', 'me:s3cret@h'], /^grootvl: --redis: not the URL of a Redis server/],
    [['add', 'model', '--name', 'x', '--redis', 'redis://h'], /missing required argument 'image'/],
    [
      ['add', 'model', DIGITS, '--name', 'x', '--mode', 'whole'],
      /--mode is an option of segment, the task is classify/,
    ],
    [['collect', '--name', 'x', '--format', 'parquet', '--redis', 'redis://h'], /needs a file/],
  ];
  for (const [args, why] of cases) {
    const { status, stderr } = await grootvl('queue', ...args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, why);
    t.notMatch(stderr, /s3cret/);
  }
});

t.test('with a server', { skip: noRedis ?? false }, async (t) => {
  const stubs = { segment: await stubSegmenter(), detect: await stubDetector() };
  const filesOf = ({ files }: MemorySink) =>
    Object.fromEntries([...files].map(([name, bytes]) => [name, Buffer.from(bytes)]));
  const folder = t.testdir({
    redis: {},
    'empty.txt': '',
    'bad.png': 'no image',
    segment: filesOf(stubs.segment),
    detect: filesOf(stubs.detect),
  });
  const detector = join(folder, 'detect');
  const [model, other] = ['model', 'other'].map((name) => join(folder, name));
  await grootvl('convert', NANO, model);
  await grootvl('convert', NANO, other, '--quantize', 'float16');
  const server = await RedisServer.start(join(folder, 'redis'));
  t.teardown(() => server.stop());
  const env = { GROOTVL_REDIS_URL: server.url };
  const queue = (command: string, ...args: string[]) =>
    grootvlWith({ env }, 'queue', command, '--name', 'run', ...args);
  const work = (...args: string[]) =>
    grootvlProcess({ env }, 'queue', 'work', '--name', 'run', '--backend', 'wasm', '--lock', '2', ...args);

  await t.test('what is added is done and collected as classify does it', async (t) => {
    const inputs = [DIGITS, join(folder, 'bad.png')];
    t.match(await queue('add', model, ...inputs, '--top', '2', '--batch', '4'), {
      status: 0,
      stdout: /^17 inputs/,
    });
    t.match(JSON.parse((await queue('status', '--json')).stdout), {
      name: 'run',
      task: { kind: 'classify', options: { top: 2 } },
      digest: /^[0-9a-f]{64}$/,
      added: true,
      inputs: 17,
      waiting: 17,
      active: 0,
      done: 0,
      failed: 0,
      setAside: [],
      workers: [],
    });
    t.match(await queue('collect', '--format', 'ndjson'), {
      status: 3,
      stdout: '',
      stderr: '17 of 17 inputs have no result yet',
    });
    t.match(await work('--workers', '2'), {
      status: 0,
      stdout: /^17 images done here, 1 of them failed \(wasm\)/,
    });
    t.match(await queue('status'), {
      status: 0,
      stdout: /^run {8}run: classify by .*done {7}16\nfailed {5}1\n/s,
    });
    const single = await grootvl('classify', model, ...inputs, '--top', '2', '--backend', 'wasm', '--json');
    const collected = await queue('collect', '--format', 'json');
    t.equal(collected.status, 3, 'as classify says it where an image failed');
    const [expected, rows] = [single, collected].map(({ stdout }) =>
      JSON.parse(stdout).map(({ ms, ...row }: { ms: number }) => row),
    );
    t.same(rows, expected);
    const csv = join(folder, 'rows.csv');
    t.match(await queue('collect', '--out', csv), { stdout: /^17 rows written to / });
    t.match(await readFile(csv, 'utf8'), /^file,index_1,label_1,.*\n/);
  });

  await t.test('segment and detect: the rows are those of the commands', async (t) => {
    const inputs = [DIGITS, join(folder, 'bad.png')];
    for (const [task, ...options] of [
      ['segment', '--mode', 'slide'],
      ['detect', '--threshold', '0.7'],
    ] as const) {
      const own = join(folder, task);
      t.match(await queue('add', own, ...inputs, '--task', task, ...options, '--force'), { status: 0 });
      t.match(await work('--workers', '2'), {
        status: 0,
        stdout: /^17 images done here, 1 of them failed/,
      });
      const single = await grootvl(task, own, ...inputs, ...options, '--backend', 'wasm', '--json');
      const collected = await queue('collect', '--format', 'json');
      t.equal(collected.status, 3, collected.stderr);
      const [expected, rows] = [single, collected].map(({ stdout }) =>
        JSON.parse(stdout).map(({ ms, ...row }: { ms: number }) => row),
      );
      t.equal(rows.length, 17);
      t.same(rows, expected, task);
      const csv = join(folder, `${task}.csv`);
      t.match(await queue('collect', '--out', csv), { status: 3, stdout: /^17 rows written to / });
      const [head, ...lines] = (await readFile(csv, 'utf8')).trim().split('\n');
      t.match(
        head,
        task === 'segment' ? /^file,width,height,index,label,share,/ : /,x1,y1,x2,y2,index,label,score,/,
      );
      t.equal(lines.length, 17, 'one class, one object an image');
    }
    await queue('add', model, ...inputs, '--top', '2', '--force');
  });

  await t.test('a run that is there stays until it is removed', async (t) => {
    t.match(await queue('add', model, DIGITS), {
      status: 1,
      stderr: /^grootvl: there is a run 'run' with 17 inputs: /,
    });
    t.match(await queue('add', model, DIGITS, '--resume'), {
      status: 1,
      stderr: /"top":2.* now it is .*"top":5/,
    });
    t.match(await queue('add', other, DIGITS, '--resume', '--top', '2'), {
      status: 1,
      stderr: /with another model/,
    });
    t.match(await queue('add', model, DIGITS, '--force'), { status: 0, stdout: /^16 inputs/ });
    t.match(await queue('remove'), { status: 0, stdout: 'the run run is removed\n' });
    for (const command of ['remove', 'status', 'collect', 'work']) {
      t.match(
        await queue(command),
        { status: 1, stderr: /^grootvl: there is no run 'run' on this server/ },
        command,
      );
    }
  });

  await t.test('inputs that are none, a wrong model and a wrong server are one line each', async (t) => {
    const list = join(folder, 'empty.txt');
    t.match(await queue('add', model, '--list', list), {
      status: 1,
      stderr: /empty\.txt" names no images\n$/,
    });
    const torn = join(folder, 'torn');
    await cp(model, torn, { recursive: true });
    await truncate(join(torn, 'group1-shard1of1.bin'), 1000);
    for (const [why, path, ...args] of [
      [/none": no such directory\n$/, join(folder, 'none')],
      [/the manifest declares 2034184 bytes of weights, there are 1000\n$/, torn],
      [/^grootvl: queue add: .*this is not a GrootV-UperNet model[^\n]*\n$/, model, '--task', 'segment'],
      [/^grootvl: queue add: .*this is not a GrootV model[^\n]*\n$/, detector],
    ] as const) {
      t.match(await queue('add', path, DIGITS, ...args), { status: 1, stdout: '', stderr: why });
    }
    t.match(await queue('status'), { stderr: /there is none/ }, 'neither has begun a run');
    await queue('add', model, DIGITS);
    t.match(await work('--model', other), {
      status: 1,
      stderr: /^grootvl: the model .* is not that of the run 'run'/,
    });
    t.match(await work('--root', join(folder, 'none')), {
      status: 1,
      stderr: /^grootvl: --root .*none": no such directory; expected that of the images\n$/,
    });
    const closed = await queue('status', '--redis', 'redis://me:s3cret@127.0.0.1:1');
    t.match(closed, {
      status: 1,
      stderr:
        'grootvl: cannot use redis://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1; expected a Redis server\n',
    });
  });

  await t.test('a worker may wait for its run, and has files below a folder of its own', async (t) => {
    await queue('remove');
    const args = ['--name', 'run', '--backend', 'wasm', '--wait', '--root', 'examples', '--model', model];
    const worker = grootvlChild({ env }, 'queue', 'work', ...args);
    const names = ['digits/digit-00-label-7.png', 'digits/digit-01-label-2.png'];
    await writeFile(join(folder, 'names.txt'), names.join('\n'));
    await queue('add', model, '--list', join(folder, 'names.txt'));
    t.match(await worker.ended, { status: 0, stdout: /^2 images done here, 0 of them failed/ });
    const rows = (await queue('collect', '--format', 'ndjson')).stdout.trim().split('\n');
    t.match(
      rows.map((row) => JSON.parse(row)),
      [
        { file: names[0], predictions: [{ index: 7 }] },
        { file: names[1], predictions: [{ index: 2 }] },
      ],
    );
  });

  await t.test('a worker that is interrupted finishes what it has begun', async (t) => {
    const many = Array.from({ length: 20 }, () => DIGITS);
    await queue('add', model, ...many, '--force');
    const worker = grootvlChild({ env }, 'queue', 'work', '--name', 'run', '--backend', 'wasm');
    const doneOf = async () => JSON.parse((await queue('status', '--json')).stdout);
    while ((await doneOf()).done === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    worker.kill('SIGTERM');
    t.match(await worker.ended, { status: 130, stderr: /interrupted; \d+ images are done/ });
    t.match(await doneOf(), { active: 0, workers: [] });
  });
});
