/** `grootvl queue status` and `remove`. */
import type { Redis } from 'ioredis';
import { removeRun } from '../queue/add.js';
import { Jobs } from '../queue/jobs.js';
import { Run, unitOf } from '../queue/run.js';
import { type QueueFlags, withServer } from './queue_server.js';
import { inline, print, printJson } from './terminal.js';

/** The document of `--json`. Counts are of inputs; waiting, active, done, failed and setAside add up to all. */
interface Status {
  readonly name: string;
  readonly task: object;
  readonly model: string;
  /** SHA-256 of the model. */
  readonly digest: string;
  readonly batch: number;
  /** Whether all inputs have been added. */
  readonly added: boolean;
  readonly inputs: number;
  readonly waiting: number;
  readonly active: number;
  readonly done: number;
  readonly failed: number;
  readonly setAside: readonly string[];
  /** By machine and process; null if the server does not report it. */
  readonly workers: readonly string[] | null;
}

export async function queueStatus(flags: QueueFlags & { readonly json?: boolean }): Promise<void> {
  const status = await withServer(flags, ({ redis }) => statusOf(redis, flags.name));
  if (flags.json) printJson(status);
  else print(describe(status));
}

export async function queueRemove(flags: QueueFlags): Promise<void> {
  await withServer(flags, async ({ redis }) => {
    if (!(await removeRun(redis, flags.name))) await Run.open(redis, flags.name); // reports which runs exist
  });
  print(`the run ${flags.name} is removed`);
}

async function statusOf(redis: Redis, name: string): Promise<Status> {
  const run = await Run.open(redis, name);
  const [activity, setAside] = await Promise.all([
    Jobs.with(redis, run, (jobs) => jobs.activity()),
    run.filesAside(),
  ]);
  const sizes = await Promise.all(activity.active.map(async (job) => (await run.inputs(unitOf(job))).length));
  const { inputs, isAdded, done, failed, aside } = await run.progress();
  const left = inputs - done - failed - aside;
  const active = Math.min(
    left,
    sizes.reduce((sum, size) => sum + size, 0),
  );
  const { task, model, digest, batch } = run.spec;
  const counts = { inputs, waiting: left - active, active, done, failed, setAside };
  return { name, task, model, digest, batch, added: isAdded, ...counts, workers: activity.workers ?? null };
}

function describe(status: Status): string {
  const { name, model, digest, added, inputs, waiting, active, done, failed, setAside, workers } = status;
  const { kind } = status.task as { kind: string };
  return [
    `run        ${name}: ${kind} by ${inline(model)} (SHA-256 ${digest.slice(0, 12)}...)`,
    `inputs     ${inputs}${added ? '' : ', not all of them added'}`,
    `waiting    ${waiting}`,
    `active     ${active}`,
    `done       ${done}`,
    `failed     ${failed}`,
    `set aside  ${setAside.length}`,
    ...setAside.map((file) => `  ${inline(file, 4096)}`),
    `workers    ${workers === null ? 'unknown: the server does not tell' : workers.length}`,
    ...(workers ?? []).map((worker) => `  ${inline(worker)}`),
  ].join('\n');
}
