/** Several runners as one. */
import t from 'tap';
import type { Runner } from './task.js';
import { together } from './together.js';

/** A runner whose batches end when they are told to. */
function manual(inFlight: number) {
  const begun: { readonly file: string; end(error?: Error): void }[] = [];
  let isDisposed = false;
  const runner: Runner = {
    backend: 'cpu',
    batch: 4,
    inFlight,
    run: ([{ file }]) =>
      new Promise((resolve, reject) => {
        begun.push({ file, end: (error) => (error ? reject(error) : resolve([{ file }])) });
      }),
    dispose: async () => {
      isDisposed = true;
    },
  };
  return { runner, files: () => begun.map(({ file }) => file), begun, isDisposed: () => isDisposed };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

t.test('a batch goes where least is to do, and waits where all have enough', async (t) => {
  const [wide, narrow] = [manual(4), manual(2)];
  const both = together([wide.runner, narrow.runner]);
  t.equal(both.inFlight, 8, 'one more each may be done and wait for its turn');
  const runs = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((file) => both.run([{ file }]));
  await turn();
  t.same(
    [wide.files(), narrow.files()],
    [
      ['a', 'c', 'd', 'f'],
      ['b', 'e'],
    ],
    'by share of what they take',
  );
  narrow.begun[0].end();
  await runs[1];
  await turn();
  t.same(narrow.files(), ['b', 'e', 'g'], 'the first that waits has the place that is free');
  wide.begun[3].end(new Error('of f'));
  await t.rejects(runs[5], { message: 'of f' });
  await turn();
  t.same(wide.files(), ['a', 'c', 'd', 'f', 'h'], 'also where one has failed');
  for (const { end } of [...wide.begun, ...narrow.begun]) end();
  t.same(await Promise.all([0, 2, 3, 4, 6, 7].map(async (i) => (await runs[i])[0].file)), [
    ...['a', 'c', 'd', 'e', 'g', 'h'],
  ]);
  const again = both.run([{ file: 'i' }]);
  await turn();
  t.same(wide.files().at(-1), 'i', 'no place is lost');
  wide.begun[5].end();
  await again;
  await both.dispose();
  t.ok(wide.isDisposed() && narrow.isDisposed());
});
