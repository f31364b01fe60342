/** A worker: takes jobs of a run until all are done. */
import { hostname } from 'node:os';
import type { Jobs, RunJob } from './jobs.js';
import { type Row, type Run, type Unit, unitOf } from './run.js';
import { Turns } from './turns.js';

/** How often an input or a batch is started before it is given up. */
const TRIES = 3;
/** How often a worker asks whether all is done: once no job waits, and while there are jobs only at every tenth time. */
const POLL_MS = 100;
const POLLS_WITH_JOBS = 10;

export interface WorkOptions<Input extends { readonly file: string }> {
  /** Computes the rows of some inputs, in order. Not on this thread, whose timers renew the locks of jobs. */
  readonly compute: (inputs: readonly Input[]) => Promise<Row[]>;
  /** Number of concurrent jobs. */
  readonly concurrency: number;
  /** Seconds without a sign of life after which a job is given to another worker. */
  readonly lock: number;
  /** Throws if the model is no longer that of the run. */
  readonly checkModel: () => Promise<void>;
  /** When aborted, jobs in progress are completed and no others are taken. */
  readonly stop: AbortSignal;
  readonly note: (line: string) => void;
  readonly onRows?: (rows: readonly Row[]) => void;
}

/**
 * A job that is returned to the queue, because its worker died or because it failed, is retried on its own, to find out what
 * kills a worker. A batch that was started {@link TRIES} times is split into jobs of one input; such an input is set aside.
 * @throws {Error} one line, if the model changes, the run is removed, or the server stays unreachable
 */
export async function work<Input extends { readonly file: string }>(
  lost: AbortSignal,
  run: Run<Input>,
  jobs: Jobs,
  options: WorkOptions<Input>,
): Promise<void> {
  const { compute, concurrency, lock, checkModel, stop, note } = options;
  const turns = new Turns();
  let failure: unknown;
  const name = `${hostname()}-${process.pid}`;
  const worker = await jobs.worker(doJob, { name, concurrency, lock });
  const end = (error?: unknown) => {
    failure ??= error;
    void worker.close(lost.aborted);
  };

  async function doJob(job: RunJob): Promise<void> {
    const unit = unitOf(job.id ?? '');
    try {
      const [isSettled] = await run.areSettled([unit]);
      if (isSettled) {
        // The worker that split it may have died before adding the parts.
        if (unit.input === undefined && (await run.isSplit(unit.batch))) await addParts(unit.batch);
        return;
      }
      if (stop.aborted || failure) throw await jobs.giveBack(job);
      await checkModel();
    } catch (error) {
      if ((error as Error).name === 'WaitingError') throw error;
      end(error);
      throw await jobs.giveBack(job);
    }
    const isBack = job.attemptsStarted > 1;
    try {
      await (isBack ? turns.alone(() => tryAgain(job, unit)) : turns.share(() => tryOnce(unit)));
    } catch (error) {
      endIfRefused(error);
      throw error;
    }
  }

  /** What the server refuses for lack of memory or permissions, it would refuse again. */
  function endIfRefused(error: unknown): void {
    if (error instanceof Error && error.name === 'ReplyError') end(error);
  }

  async function tryOnce(unit: Unit): Promise<void> {
    const rows = await compute(await run.inputs(unit));
    await run.settle(unit, rows);
    options.onRows?.(rows);
  }

  async function tryAgain(job: RunJob, unit: Unit): Promise<void> {
    const before = 1 + job.data.tries;
    if (before >= TRIES) return giveUp(unit, 'it ended its worker each time');
    await job.updateData({ tries: job.data.tries + 1 });
    try {
      await tryOnce(unit);
    } catch (error) {
      if (before + 1 < TRIES) throw error;
      await giveUp(unit, (error as Error).message);
    }
  }

  async function giveUp(unit: Unit, why: string): Promise<void> {
    const inputs = await run.inputs(unit);
    if (inputs.length > 1) {
      note(`a batch of ${inputs.length} inputs failed ${TRIES} times (${why}): each of them is tried alone`);
      await run.split(unit.batch);
      await addParts(unit.batch);
      return;
    }
    const [{ file }] = inputs;
    note(`${file} is set aside after ${TRIES} tries: ${why}`);
    await run.setAside(unit, { file, error: `set aside after ${TRIES} tries: ${why}` });
  }

  async function addParts(batch: number): Promise<void> {
    const inputs = await run.inputs({ batch });
    await jobs.add(inputs.map((_, input) => ({ batch, input })));
  }

  const look = () => {
    run.progress().then(
      ({ isAdded, inputs, done, failed, aside }) => {
        if (isAdded && done + failed + aside === inputs) end();
      },
      (error) => end(error),
    );
  };
  let isDrained = false;
  let polls = 0;
  const poll = setInterval(() => {
    polls++;
    if (isDrained || polls % POLLS_WITH_JOBS === 0) look();
  }, POLL_MS);
  worker.on('drained', () => {
    isDrained = true;
    look();
  });
  worker.on('active', () => {
    isDrained = false;
  });
  const onStop = () => end();
  let onLost = () => {};
  const isLost = new Promise<void>((resolve) => {
    onLost = resolve;
  });
  stop.addEventListener('abort', onStop);
  lost.addEventListener('abort', onLost);
  // Other errors are of the connection, which reports them, or of a job that another worker has by now.
  worker.on('error', endIfRefused);
  try {
    if (stop.aborted) end();
    // Without a server no job in progress can be completed.
    await Promise.race([worker.run(), isLost]);
    await worker.close(lost.aborted);
  } finally {
    clearInterval(poll);
    stop.removeEventListener('abort', onStop);
    lost.removeEventListener('abort', onLost);
  }
  lost.throwIfAborted();
  if (failure) throw failure;
}
