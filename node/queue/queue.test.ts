/** Runs, jobs and workers on a real server; results are strings, since the queue does not inspect rows. */
import t from 'tap';
import { noRedis, RedisServer } from '../../testing/redis_server.js';
import { addInputs, beginRun, removeRun } from './add.js';
import { Jobs } from './jobs.js';
import { redisServer, withRedis } from './redis.js';
import { type Row, Run, type RunSpec } from './run.js';
import { work } from './work.js';

interface Input {
  readonly file: string;
}

const SPEC: RunSpec = {
  task: { kind: 'classify', options: { top: 1 } },
  model: 'model',
  digest: 'abc',
  batch: 4,
};

/** Long enough for a busy machine, short enough for a test. */
const LOCK = 2;

function files(count: number): Input[] {
  return Array.from({ length: count }, (_, i) => ({ file: `${i}.png` }));
}

async function* stream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

function rowsOf(inputs: readonly Input[]): Row[] {
  return inputs.map(({ file }) => ({ file, answer: `of ${file}` }));
}

/** Opens a connection with what the commands keep open, passes it to `use` and closes it afterwards. */
function connected<T>(
  url: string,
  use: (parts: { redis: Parameters<typeof Run.open>[0]; lost: AbortSignal }) => Promise<T>,
): Promise<T> {
  return withRedis(redisServer(url, 'test'), { patience: 20, note: () => {} }, use);
}

function add(url: string, inputs: readonly Input[], spec = SPEC, options = {}): Promise<number> {
  return connected(url, async ({ redis }) => {
    const run = await beginRun<Input>(redis, 'run', spec, options);
    return Jobs.with(redis, run, (jobs) => addInputs(run, jobs, stream(inputs)));
  });
}

interface Working {
  readonly compute?: (inputs: readonly Input[]) => Promise<Row[]>;
  readonly checkModel?: () => Promise<void>;
  readonly concurrency?: number;
  readonly stop?: AbortSignal;
}

function workOn(url: string, working: Working = {}): Promise<string[]> {
  const notes: string[] = [];
  return connected(url, async ({ redis, lost }) => {
    const run = await Run.open<Input>(redis, 'run');
    await Jobs.with(redis, run, (jobs) =>
      work(lost, run, jobs, {
        compute: async (inputs) => rowsOf(inputs),
        checkModel: async () => {},
        concurrency: 2,
        lock: LOCK,
        stop: new AbortController().signal,
        ...working,
        note: (line) => notes.push(line),
      }),
    );
    return notes;
  });
}

function collect(url: string, wait = false): Promise<Row[]> {
  return connected(url, async ({ redis }) => {
    const run = await Run.open<Input>(redis, 'run');
    const rows: Row[] = [];
    for await (const row of run.rows({ wait })) rows.push(row);
    return rows;
  });
}

function progress(url: string) {
  return connected(url, async ({ redis }) => (await Run.open(redis, 'run')).progress());
}

t.test('a queue', { skip: noRedis ?? false }, async (t) => {
  const server = await RedisServer.start(t.testdir());
  const { url } = server;
  t.teardown(() => server.stop());
  t.afterEach(() => connected(url, ({ redis }) => removeRun(redis, 'run')));

  await t.test('rows come in the order of the inputs, each once, from several workers', async (t) => {
    const inputs = files(999);
    t.equal(await add(url, inputs), 999);
    await Promise.all([workOn(url), workOn(url), workOn(url)]);
    t.same(await collect(url), rowsOf(inputs));
    t.match(await progress(url), {
      inputs: 999,
      batches: 250,
      isAdded: true,
      done: 999,
      failed: 0,
      aside: 0,
    });
  });

  await t.test('what kills a worker each time is set aside, and its neighbours are done', async (t) => {
    await add(url, files(10));
    const compute = async (inputs: readonly Input[]) => {
      if (inputs.some(({ file }) => file === '5.png')) throw new Error('no image');
      return rowsOf(inputs);
    };
    const notes = await workOn(url, { compute });
    t.match(notes, [
      /^a batch of 4 inputs failed 3 times \(no image\)/,
      /^5\.png is set aside after 3 tries/,
    ]);
    const expected = rowsOf(files(10));
    expected[5] = { file: '5.png', error: 'set aside after 3 tries: no image' };
    t.same(await collect(url), expected);
    t.match(await progress(url), { done: 9, failed: 0, aside: 1 });
  });

  await t.test('a batch that came back is begun with nothing beside it', async (t) => {
    await add(url, files(40));
    const running = new Set<string>();
    const beside: number[] = [];
    const seen = new Set<string>();
    const compute = async (inputs: readonly Input[]) => {
      const { file } = inputs[0];
      running.add(file);
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (seen.has(file)) beside.push(running.size);
      running.delete(file);
      if (!seen.has(file)) {
        seen.add(file);
        throw new Error('once');
      }
      return rowsOf(inputs);
    };
    t.same(await workOn(url, { compute, concurrency: 3 }), []);
    t.same(beside, Array(10).fill(1));
    t.same(await collect(url), rowsOf(files(40)));
  });

  await t.test('the batch of a worker that fell silent goes to another one', async (t) => {
    await add(url, files(8));
    const silent = connected(url, async ({ redis }) => {
      const run = await Run.open<Input>(redis, 'run');
      const gone = new AbortController();
      const never = new Promise<never>(() => {});
      const compute = async () => {
        setTimeout(() => gone.abort(), 100);
        return never;
      };
      return Jobs.with(redis, run, (jobs) =>
        work(gone.signal, run, jobs, {
          compute,
          checkModel: async () => {},
          concurrency: 1,
          lock: LOCK,
          stop: new AbortController().signal,
          note: () => {},
        }),
      );
    });
    await t.rejects(silent, { name: 'AbortError' });
    t.match(await progress(url), { done: 0 });
    await workOn(url);
    t.same(await collect(url), rowsOf(files(8)));
  });

  const long = { skip: process.env.GROOTVL_LONG === '1' ? false : 'with GROOTVL_LONG=1' };
  await t.test('an input whose workers die each time is set aside', long, async (t) => {
    await add(url, files(6));
    let deaths = 0;
    for (let isComplete = false; !isComplete; ) {
      await connected(url, async ({ redis }) => {
        const run = await Run.open<Input>(redis, 'run');
        const death = new AbortController();
        const compute = async (inputs: readonly Input[]) => {
          if (!inputs.some(({ file }) => file === '2.png')) return rowsOf(inputs);
          deaths++;
          setTimeout(() => death.abort(), 10);
          return new Promise<never>(() => {});
        };
        await Jobs.with(redis, run, (jobs) =>
          work(death.signal, run, jobs, {
            compute,
            checkModel: async () => {},
            concurrency: 3,
            lock: 1,
            stop: new AbortController().signal,
            note: () => {},
          }),
        ).catch(() => {});
      });
      const { done, aside } = await progress(url);
      isComplete = done + aside === 6;
    }
    t.equal(deaths, 6, 'three of the batch, three alone');
    const expected = rowsOf(files(6));
    expected[2] = { file: '2.png', error: 'set aside after 3 tries: it ended its worker each time' };
    t.same(await collect(url), expected);
  });

  await t.test('what becomes of a batch first stays', async (t) => {
    await add(url, files(5));
    await connected(url, async ({ redis }) => {
      const run = await Run.open<Input>(redis, 'run');
      await run.split(0);
      await run.settle({ batch: 0 }, rowsOf(files(4)));
      for (const input of [0, 1, 2, 3]) {
        const [{ file }] = await run.inputs({ batch: 0, input });
        await run.settle({ batch: 0, input }, [{ file, alone: true } as Row]);
      }
      await run.settle({ batch: 1 }, [{ file: '4.png', error: 'first' }]);
      await run.settle({ batch: 1 }, [{ file: '4.png' }]);
    });
    const rows = await collect(url);
    t.same(
      rows.slice(0, 4),
      files(4).map(({ file }) => ({ file, alone: true })),
    );
    t.same(rows.slice(4), [{ file: '4.png', error: 'first' }]);
    t.match(await progress(url), { done: 4, failed: 1, aside: 0 });
  });

  await t.test('without waiting what is there is collected, with waiting what comes', async (t) => {
    await add(url, files(12));
    await connected(url, async ({ redis }) => {
      const run = await Run.open<Input>(redis, 'run');
      await run.settle({ batch: 1 }, rowsOf(await run.inputs({ batch: 1 })));
    });
    t.same(await collect(url), rowsOf(files(8).slice(4)));
    const [rows] = await Promise.all([collect(url, true), workOn(url)]);
    t.same(rows, rowsOf(files(12)));
  });

  await t.test('adding that was interrupted is resumed, and other inputs are refused', async (t) => {
    const inputs = files(600);
    async function* interrupted() {
      yield* inputs.slice(0, 301);
      throw new Error('interrupted');
    }
    const adding = connected(url, async ({ redis }) => {
      const run = await beginRun<Input>(redis, 'run', SPEC, {});
      return Jobs.with(redis, run, (jobs) => addInputs(run, jobs, interrupted()));
    });
    await t.rejects(adding, { message: 'interrupted' });
    t.match(await progress(url), { inputs: 256, isAdded: false });
    const other = [...inputs.slice(0, 200), { file: 'other.png' }, ...inputs.slice(201)];
    await t.rejects(add(url, other, SPEC, { resume: true }), {
      message: `the run 'run' has other inputs: number 201 was {"file":"200.png"} and is now {"file":"other.png"}`,
    });
    await t.rejects(add(url, inputs.slice(0, 100), SPEC, { resume: true }), {
      message: /number 101 .* is not there now/,
    });
    t.equal(await add(url, inputs, SPEC, { resume: true }), 600);
    await workOn(url);
    t.equal(await add(url, files(603), SPEC, { resume: true }), 603, 'inputs that came since are added');
    await workOn(url);
    t.same(await collect(url), rowsOf(files(603)));
  });

  await t.test('a run that is there is neither changed nor removed without being told so', async (t) => {
    await add(url, files(3));
    await t.rejects(add(url, files(3)), {
      message: /^there is a run 'run' with 3 inputs: --resume .* --force /,
    });
    const resume = { resume: true };
    await t.rejects(add(url, files(3), { ...SPEC, digest: 'other' }, resume), {
      message: /added with another model/,
    });
    const task = { kind: 'classify', options: { top: 2 } };
    await t.rejects(add(url, files(3), { ...SPEC, task }, resume), {
      message: /"top":1.* now it is .*"top":2/,
    });
    await add(url, files(2), SPEC, { force: true });
    await workOn(url);
    t.same(await collect(url), rowsOf(files(2)));
  });

  await t.test('a run of another version is refused, and can be begun anew', async (t) => {
    await add(url, files(3), SPEC, { force: true });
    for (const spec of ['{}', 'no JSON']) {
      await connected(url, ({ redis }) => redis.hset('grootvl:run', 'spec', spec));
      await t.rejects(
        connected(url, ({ redis }) => Run.open(redis, 'run')),
        {
          message: /^the run 'run' was added by another version of this package: use that version, or begin/,
        },
      );
    }
    t.equal(await add(url, files(3), SPEC, { force: true }), 3);
  });

  await t.test('a worker of a run that is removed says so, and leaves nothing', async (t) => {
    await add(url, files(40));
    let begun = () => {};
    const isWorking = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const compute = async (inputs: readonly Input[]) => {
      begun();
      await new Promise((resolve) => setTimeout(resolve, 300));
      return rowsOf(inputs);
    };
    const working = workOn(url, { compute });
    const rejected = t.rejects(working, { message: "the run 'run' was removed or begun anew" });
    await isWorking;
    await connected(url, ({ redis }) => removeRun(redis, 'run'));
    await rejected;
    t.same(await connected(url, ({ redis }) => redis.keys('*')), []);
    await t.rejects(workOn(url), { message: /^there is no run 'run' on this server \(there is none\)/ });
  });

  await t.test("a model that changes ends the worker, and its batches are another one's", async (t) => {
    await add(url, files(40));
    let batches = 0;
    const checkModel = async () => {
      if (++batches > 3) throw new Error('the model was changed');
    };
    await t.rejects(workOn(url, { checkModel }), { message: 'the model was changed' });
    t.match(await progress(url), { done: 12 });
    await workOn(url);
    t.same(await collect(url), rowsOf(files(40)));
  });

  await t.test('a worker that is stopped finishes what it has begun', async (t) => {
    await add(url, files(40));
    const stop = new AbortController();
    const compute = async (inputs: readonly Input[]) => {
      stop.abort();
      return rowsOf(inputs);
    };
    await workOn(url, { compute, stop: stop.signal, concurrency: 1 });
    t.match(await progress(url), { done: 4 });
    await workOn(url);
    t.same(await collect(url), rowsOf(files(40)));
  });

  await t.test('a server that takes no more ends its workers, and all of the run is there', async (t) => {
    await add(url, files(40));
    await connected(url, async ({ redis }) => {
      await redis.config('SET', 'maxmemory', 1);
      await t.rejects(workOn(url), { message: /OOM command not allowed/ });
      await redis.config('SET', 'maxmemory', 0);
    });
    await workOn(url);
    t.same(await collect(url), rowsOf(files(40)));
  });

  await t.test('a server that is killed and comes back has all of a run', async (t) => {
    const inputs = files(400);
    await add(url, inputs);
    const compute = async (inputs: readonly Input[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return rowsOf(inputs);
    };
    const working = [workOn(url, { compute }), workOn(url, { compute })];
    const collecting = collect(url, true);
    while ((await progress(url)).done < 20) {}
    await server.stop();
    await new Promise((resolve) => setTimeout(resolve, 500));
    await server.start();
    await Promise.all(working);
    t.same(await collecting, rowsOf(inputs));
  });
});
