/** Batches, order, backpressure, and what happens to rows after an error. */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { ImageInput } from '../images/image_files.js';
import { runImages } from './run_images.js';
import type { ImageRow } from './task.js';

const names = (count: number) => Array.from({ length: count }, (_, i) => `${i}.png`);

async function* inputsOf(files: readonly string[], taken: string[] = []): AsyncGenerator<ImageInput> {
  for (const file of files) {
    taken.push(file);
    yield { file };
  }
}

/** Takes longer the fewer batches it has been given before. */
function runner(inFlight: number, { failsAt = '' } = {}) {
  const batches: string[][] = [];
  let [working, most] = [0, 0];
  return {
    batches,
    most: () => most,
    inFlight,
    run: async (inputs: readonly ImageInput[]): Promise<ImageRow[]> => {
      const files = inputs.map(({ file }) => file);
      batches.push(files);
      most = Math.max(most, ++working);
      await delay(20 / batches.length);
      working--;
      if (files.includes(failsAt)) throw new Error('the thread has ended');
      return files.map((file) => ({ file }));
    },
  };
}

async function filesOf(rows: AsyncIterable<ImageRow>, into: string[] = []): Promise<string[]> {
  for await (const { file } of rows) into.push(file);
  return into;
}

t.test('rows in the order of the inputs, batches of the size asked for', async (t) => {
  const run = runner(3);
  t.same(await filesOf(runImages(run, inputsOf(names(10)), { batch: 4 })), names(10));
  t.same(
    run.batches.map(({ length }) => length),
    [4, 4, 2],
  );
  t.equal(run.most(), 3);
  t.same(await filesOf(runImages(runner(2), inputsOf([]), { batch: 4 })), []);
});

t.test('no more inputs are taken than there is room for', async (t) => {
  const taken: string[] = [];
  const rows = runImages(runner(2), inputsOf(names(100), taken), { batch: 5 });
  await rows.next();
  t.ok(taken.length <= 15, `${taken.length} inputs for the first row`);
  await rows.return(undefined);
  t.ok(taken.length <= 15);
});

t.test('rows come while the next input is waited for', async (t) => {
  let goOn = () => {};
  const slow = async function* () {
    yield* inputsOf(names(2));
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    yield* inputsOf(['last.png']);
  };
  const rows = runImages(runner(4), slow(), { batch: 2 });
  t.equal((await rows.next()).value?.file, '0.png');
  t.equal((await rows.next()).value?.file, '1.png');
  const last = rows.next();
  await delay(1);
  goOn();
  t.equal((await last).value?.file, 'last.png');
  t.equal((await rows.next()).done, true);
});

t.test('a batch that fails: the rows of the others, then its error', async (t) => {
  const done: string[] = [];
  const run = runner(3, { failsAt: '3.png' });
  await t.rejects(filesOf(runImages(run, inputsOf(names(50)), { batch: 2 }), done), /the thread has ended/);
  const begun = run.batches.flat();
  t.ok(begun.length < 50);
  t.same(
    done,
    begun.filter((file) => file !== '2.png' && file !== '3.png'),
  );
});

t.test('inputs that fail: the rows of those before, then the error', async (t) => {
  const broken = async function* () {
    yield* inputsOf(names(5));
    throw new Error('the list cannot be read');
  };
  const done: string[] = [];
  await t.rejects(filesOf(runImages(runner(2), broken(), { batch: 4 }), done), /the list cannot be read/);
  t.same(done, names(5));
});

t.test('a signal: what has been begun is finished, also where the next input never comes', async (t) => {
  const stop = new AbortController();
  const waiting = async function* () {
    yield* inputsOf(names(4));
    await new Promise(() => {});
  };
  const done: string[] = [];
  setTimeout(() => stop.abort(), 60);
  await filesOf(runImages(runner(2), waiting(), { batch: 2, signal: stop.signal }), done);
  t.same(done, names(4));
  t.same(await filesOf(runImages(runner(2), inputsOf(names(4)), { batch: 2, signal: stop.signal })), []);
});
