/**
 * Three workers in separate processes, two of which are killed at random moments, and a server that is killed and restarted:
 * every input has one row, equal to that of a single process. With GROOTVL_LONG=1 10,000 digits, else 320.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { grootvl, grootvlChild, grootvlProcess, grootvlWith } from '../../testing/command_line.js';
import { noRedis, RedisServer } from '../../testing/redis_server.js';
import { encodeImage } from '../images/encode.js';
import { imageFiles } from '../images/image_files.js';
import { readImage } from '../images/read_image.js';
import { redisServer, withRedis } from './redis.js';
import { Run } from './run.js';

const DIGITS = 'examples/digits';
const SIDE = 28;
const LONG = process.env.GROOTVL_LONG === '1';
const COUNT = LONG ? 10_000 : 320;
/** Seconds. */
const LOCK = LONG ? 5 : 2;

interface Row {
  readonly file: string;
  readonly predictions: unknown;
}

/** Digits, each shifted to another position. */
async function drawDigits(folder: string): Promise<void> {
  await mkdir(folder);
  const digits = await Promise.all((await imageFiles(DIGITS)).map((file) => readImage(file)));
  const moves = Math.ceil(Math.sqrt(COUNT / digits.length));
  for (let i = 0; i < COUNT; i++) {
    const move = Math.floor(i / digits.length);
    const [dx, dy] = [move % moves, Math.floor(move / moves)].map((step) => step - Math.floor(moves / 2));
    const data = new Uint8Array(3 * SIDE * SIDE);
    for (let y = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const [fromX, fromY] = [x - dx, y - dy];
        if (Math.min(fromX, fromY) < 0 || Math.max(fromX, fromY) >= SIDE) continue;
        const from = 3 * (SIDE * fromY + fromX);
        data.set(digits[i % digits.length].data.subarray(from, from + 3), 3 * (SIDE * y + x));
      }
    }
    const name = `${String(i).padStart(5, '0')}.png`;
    await writeFile(join(folder, name), await encodeImage({ width: SIDE, height: SIDE, data }, 'png'));
  }
}

function parsed(text: string): Row[] {
  const rows = text.trim().split('\n');
  return rows.map((line) => {
    const { file, predictions } = JSON.parse(line);
    return { file, predictions };
  });
}

t.test('workers and the server are killed', { skip: noRedis ?? false, timeout: 1_200_000 }, async (t) => {
  const folder = t.testdir();
  const [digits, model, out] = ['digits', 'model', 'rows.ndjson'].map((name) => join(folder, name));
  await drawDigits(digits);
  await grootvl('convert', 'fixtures/grootv/grootv_nano_mnist.pth', model);
  await mkdir(join(folder, 'redis'));
  const server = await RedisServer.start(join(folder, 'redis'));
  t.teardown(() => server.stop());
  const env = { GROOTVL_REDIS_URL: server.url };
  const queue = (command: string, ...args: string[]) =>
    grootvlWith({ env }, 'queue', command, '--name', 'digits', ...args);

  t.equal((await queue('add', model, digits)).status, 0);
  const workers = ['first', 'second', 'third'].map(() => {
    const args = ['--name', 'digits', '--backend', 'wasm', '--lock', String(LOCK)];
    return grootvlChild({ env }, 'queue', 'work', ...args);
  });
  const collecting = grootvlProcess({ env }, 'queue', 'collect', '--name', 'digits', '--wait', '--out', out);

  const moments = [() => workers[0].kill('SIGKILL'), () => workers[1].kill('SIGKILL'), restart].map(
    (act) => ({
      act,
      at: Math.floor(COUNT * (0.1 + 0.6 * Math.random())),
    }),
  );
  async function restart() {
    await server.stop('SIGKILL');
    await server.start();
  }
  for (const { act, at } of moments.sort((a, b) => a.at - b.at)) {
    const server = redisServer(env.GROOTVL_REDIS_URL, 'test');
    await withRedis(server, { patience: 60, note: () => {} }, async ({ redis }) => {
      const run = await Run.open(redis, 'digits');
      while ((await run.progress()).done < at) await new Promise((resolve) => setTimeout(resolve, 20));
    });
    await act();
    t.comment(`after ${at} digits: ${act === restart ? 'the server is restarted' : 'a worker is killed'}`);
  }

  t.match(await workers[2].ended, { status: 0, stdout: /the run digits is complete/ });
  t.match(await workers[0].ended, { status: null });
  t.match(await workers[1].ended, { status: null });
  t.match(await collecting, { status: 0, stdout: `${COUNT} rows written` });
  const status = JSON.parse((await queue('status', '--json')).stdout);
  t.match(status, {
    inputs: COUNT,
    done: COUNT,
    waiting: 0,
    active: 0,
    failed: 0,
    setAside: [],
    workers: [],
  });

  const single = await grootvl('classify', model, digits, '--backend', 'wasm', '--format', 'ndjson');
  t.equal(single.status, 0);
  const rows = parsed(await readFile(out, 'utf8'));
  t.equal(new Set(rows.map(({ file }) => file)).size, COUNT);
  t.ok(
    JSON.stringify(rows) === JSON.stringify(parsed(single.stdout)),
    'the rows are those of a single process',
  );
});
