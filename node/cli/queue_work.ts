/** `grootvl queue work`. */
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { CliBackend } from '../backend.js';
import type { ImageInput } from '../many_images/inputs.js';
import { openPool } from '../many_images/pool.js';
import { RowTally } from '../many_images/rows/row.js';
import { isUrl } from '../model_source.js';
import { Jobs } from '../queue/jobs.js';
import { Run } from '../queue/run.js';
import { RunModel } from '../queue/run_model.js';
import { work } from '../queue/work.js';
import { warn } from './backend.js';
import { threadsOf } from './image_command.js';
import { Interruption } from './interruption.js';
import { ImageBar } from './progress.js';
import { type QueueFlags, withServer } from './queue_server.js';
import { print } from './terminal.js';

interface Flags extends QueueFlags {
  readonly model?: string;
  readonly root?: string;
  readonly lock: number;
  readonly wait?: boolean;
  readonly workers: number | 'auto';
  readonly backend: CliBackend;
}

const WAIT_MS = 1000;

export async function queueWork(flags: Flags): Promise<void> {
  await checkRoot(flags.root);
  const interruption = new Interruption();
  const { signal } = interruption;
  try {
    await withServer(flags, async ({ redis, lost }) => {
      const run = flags.wait
        ? await addedRun(redis, flags.name, signal)
        : await Run.open<ImageInput>(redis, flags.name);
      if (!run) return;
      const { kind, options } = run.spec.task;
      const path = flags.model ?? run.spec.model;
      const model = await RunModel.verify(run, path);
      const threads = await threadsOf(flags.workers, flags.backend);
      const pool = await openPool<ImageInput>(
        { kind, model: path, backend: flags.backend, options },
        threads,
        { warn },
      );
      const bar = await ImageBar.start(0, true);
      const tally = new RowTally();
      try {
        await model.check(); // it has just been verified again
        await Jobs.with(redis, run, (jobs) =>
          work(lost, run, jobs, {
            compute: async (inputs) => {
              const rows = await pool.run(
                inputs.map((input) => ({ ...input, file: below(flags.root, input.file) })),
              );
              return rows.map((row, i) => ({ ...row, file: inputs[i].file }));
            },
            concurrency: pool.inFlight,
            lock: flags.lock,
            checkModel: () => model.check(),
            stop: signal,
            note: warn,
            onRows: (rows) => {
              for (const row of rows) {
                tally.add(row);
                bar?.add();
              }
            },
          }),
        );
      } finally {
        bar?.stop();
        await pool.dispose();
      }
      interruption.check(`; ${tally.rows} images are done, and what is left is other workers'`);
      print(
        `${tally.rows} images done here, ${tally.failed} of them failed (${pool.backend}); the run ${run.name} is complete`,
      );
    });
    interruption.check();
  } finally {
    interruption.dispose();
  }
}

/** The run, once it has been added; undefined after a signal. */
async function addedRun(
  redis: Redis,
  name: string,
  signal: AbortSignal,
): Promise<Run<ImageInput> | undefined> {
  let isTold = false;
  while (!signal.aborted) {
    const run = await Run.find<ImageInput>(redis, name);
    if (run) return run;
    if (!isTold) warn(`waiting for the run ${name} to be added`);
    isTold = true;
    await pause(WAIT_MS);
  }
  return undefined;
}

/** If the folder did not exist, every image of the run would fail. */
async function checkRoot(root = '.'): Promise<void> {
  const status = await stat(root).catch(() => undefined);
  if (!status?.isDirectory())
    throw new Error(`--root "${root}": no such directory; expected that of the images`);
}

/** The path of a file that `add` was given by a relative name. */
function below(root: string | undefined, file: string): string {
  if (root === undefined || isUrl(file)) return file;
  return resolve(file) === file ? file : join(root, file);
}
