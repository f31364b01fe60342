/** Adds inputs to a run, and runs to a server. */
import type { Redis } from 'ioredis';
import { takeInto } from '../many_images/inputs.js';
import { Jobs } from './jobs.js';
import { Run, type RunSpec, type Unit } from './run.js';

/** Number of batches that are added, or compared, at a time. */
const PAGE = 64;

export interface BeginOptions {
  /** Resumes an existing run: its inputs must be the first of these inputs. */
  readonly resume?: boolean;
  /** Removes an existing run. */
  readonly force?: boolean;
}

/**
 * Creates a run, or with `resume` opens the existing one.
 * @throws {Error} one line, if there is one and neither option is given, or its task, model or batch size differ
 */
export async function beginRun<Input>(
  redis: Redis,
  name: string,
  spec: RunSpec,
  { resume, force }: BeginOptions,
): Promise<Run<Input>> {
  const there = force ? undefined : await Run.find<Input>(redis, name);
  if (!there) {
    await removeRun(redis, name); // also the remains of an interrupted removal
    const created = await Run.create<Input>(redis, name, spec);
    if (created) return created;
    throw new Error(`another grootvl queue add has just begun the run '${name}'`);
  }
  if (!resume) {
    const { inputs, isAdded } = await there.progress();
    throw new Error(
      `there is a run '${name}' with ${inputs} inputs${isAdded ? '' : ', not all added'}: --resume adds what it ` +
        'does not have, --force removes it and begins anew',
    );
  }
  const { task, digest, model } = there.spec;
  if (digest !== spec.digest) {
    throw new Error(`the run '${name}' was added with another model (${model}); --force begins it anew`);
  }
  const [had, given] = [task, spec.task].map((each) => JSON.stringify(each));
  if (had !== given)
    throw new Error(`the run '${name}' was added with ${had}, now it is ${given}; --force begins it anew`);
  return there;
}

/** Removes a run and all its data. @returns whether there was one */
export async function removeRun(redis: Redis, name: string): Promise<boolean> {
  const id = await Run.dismiss(redis, name);
  if (id === undefined) return false;
  await Jobs.with(redis, { name, id }, (jobs) => jobs.remove());
  await Run.forget(redis, name, id);
  return true;
}

/**
 * Adds inputs to a run, as they arrive.
 * @param inputs all of them, starting with those that the run already has
 * @returns their number
 * @throws {Error} one line, if the run has others, or more
 */
export async function addInputs<Input>(
  run: Run<Input>,
  jobs: Jobs,
  inputs: AsyncIterable<Input>,
): Promise<number> {
  const had = await run.progress();
  const source = inputs[Symbol.asyncIterator]();
  let count = 0;
  const take = async (most: number): Promise<Input[]> => {
    const taken: Input[] = [];
    await takeInto(taken, source, most);
    count += taken.length;
    return taken;
  };
  for (let first = 0; first < had.batches; first += PAGE) {
    const batches = await run.batches(first, Math.min(PAGE, had.batches - first));
    for (const batch of batches) {
      const before = count;
      checkSame(run.name, batch, await take(batch.length), before);
    }
    await jobs.add(await unsettled(run, first, batches));
  }
  for (let next = had.batches, isEnd = false; !isEnd; ) {
    const batches: Input[][] = [];
    while (batches.length < PAGE && !isEnd) {
      const batch = await take(run.spec.batch);
      if (batch.length > 0) batches.push(batch);
      isEnd = batch.length < run.spec.batch;
    }
    await run.extend(next, batches, count, isEnd);
    await jobs.add(batches.map((_, i) => ({ batch: next + i })));
    next += batches.length;
  }
  return count;
}

function checkSame<Input>(run: string, had: readonly Input[], given: readonly Input[], before: number): void {
  for (const [i, input] of had.entries()) {
    const [expected, got] = [input, given[i]].map((each) => JSON.stringify(each));
    if (expected === got) continue;
    const found = got === undefined ? 'is not there now' : `is now ${got}`;
    throw new Error(
      `the run '${run}' has other inputs: number ${before + i + 1} was ${expected} and ${found}`,
    );
  }
}

/** The units of some batches that have no result yet. */
async function unsettled<Input>(
  run: Run<Input>,
  first: number,
  batches: readonly Input[][],
): Promise<Unit[]> {
  const units = batches.map((_, i) => ({ batch: first + i }));
  const areSettled = await run.areSettled(units);
  const open: Unit[] = units.filter((_, i) => !areSettled[i]);
  for (const { batch } of units.filter((_, i) => areSettled[i])) {
    if (!(await run.isSplit(batch))) continue;
    const parts = batches[batch - first].map((_, input) => ({ batch, input }));
    const done = await run.areSettled(parts);
    open.push(...parts.filter((_, i) => !done[i]));
  }
  return open;
}
