/** Tasks over images whose files are written while the model works; without a model. */
import t from 'tap';
import { UnwritableOutput } from '../atomic_file.js';
import { openImageTask } from './image_task.js';

const spec = { kind: 'drawn', model: '', backend: 'cpu', options: {} } as const;
const image = { width: 1, height: 1, data: new Uint8Array(3) };
const names = (...files: readonly string[]) => files.map((file) => ({ file }));

/** A task that records what it does; an image's file is written when its turn ends. */
async function opened(writeOf: (file: string) => Promise<void>) {
  const events: string[] = [];
  const task = await openImageTask(
    spec,
    { source: {} as never },
    { load: async () => ({ dispose: () => {} }) },
    () => ({
      read: async () => image,
      compute: async ({ input: { file } }, later) => {
        events.push(`compute ${file}`);
        later(async () => {
          events.push(`write ${file}`);
          await writeOf(file);
          events.push(`written ${file}`);
        });
        return { file };
      },
    }),
  );
  return { task, events };
}

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

t.test('files of an image are written while the next one is computed, one image at a time', async (t) => {
  const { task, events } = await opened(tick);
  const rows = await Promise.all([task.run(names('a', 'b')), task.run(names('c'))]);
  t.same(rows, [names('a', 'b'), names('c')]);
  t.same(events, [
    ...['compute a', 'write a', 'compute b', 'written a', 'write b'],
    ...['compute c', 'written b', 'write c', 'written c'],
  ]);
});

t.test('a row comes when its files are written', async (t) => {
  let end = () => {};
  const { task } = await opened(
    () =>
      new Promise((resolve) => {
        end = resolve;
      }),
  );
  let isThere = false;
  const row = task.run(names('a')).then(() => {
    isThere = true;
  });
  await tick();
  t.notOk(isThere);
  end();
  await row;
  t.ok(isThere);
});

t.test(
  'an image that cannot be drawn is a row with its error, a disk that is full ends the batch',
  async (t) => {
    const { task } = await opened(async (file) => {
      if (file === 'bad') throw new Error('too large');
      if (file === 'full') throw new UnwritableOutput('cannot write full: no space');
    });
    t.same(await task.run(names('bad', 'a')), [{ file: 'bad', error: 'too large' }, { file: 'a' }]);
    await t.rejects(task.run(names('a', 'full', 'b')), { message: 'cannot write full: no space' });
    t.same(await task.run(names('c')), names('c'), 'later batches are done');
  },
);
