/** `grootvl queue add`. */
import { describeModel } from '../evaluation/model_description.js';
import { type ImageInput, imageInputs, lookAhead } from '../many_images/inputs.js';
import { kindOf } from '../many_images/kinds.js';
import { identifyModel } from '../model_digest.js';
import { addInputs, beginRun, removeRun } from '../queue/add.js';
import { Jobs } from '../queue/jobs.js';
import { checkImages } from './failure.js';
import { Interruption } from './interruption.js';
import { type QueueFlags, withServer } from './queue_server.js';
import { MODEL_OF, type TaskFlags, taskOf } from './queue_task.js';
import { print, standardInput } from './terminal.js';

interface Flags extends QueueFlags, TaskFlags {
  readonly list?: string;
  readonly batch?: number;
  readonly resume?: boolean;
  readonly force?: boolean;
}

export async function queueAdd(model: string, images: readonly string[], flags: Flags): Promise<void> {
  const { name, list } = flags;
  checkImages(images, list);
  const task = taskOf(flags);
  const batch = flags.batch ?? (await kindOf(task)).job;
  const { first, all } = await lookAhead(imageInputs(images, { list, standardInput: standardInput() }), 2);
  if (first.length === 1 && first[0].problem !== undefined) throw new Error(first[0].problem);
  await withServer(flags, async ({ redis }) => {
    const { digest } = await identifyModel(model);
    await describeModel(model, MODEL_OF[flags.task], 'queue add'); // otherwise each worker would report it
    const run = await beginRun<ImageInput>(redis, name, { task, model, digest, batch }, flags);
    const interruption = new Interruption();
    try {
      const inputs = until(interruption.signal, all);
      const count = await Jobs.with(redis, run, (jobs) => addInputs(run, jobs, inputs));
      print(`${count} inputs in the run ${name}: grootvl queue work --name ${name} does them`);
    } catch (error) {
      // Inputs that could not be read, such as an invalid list, leave an empty run.
      if ((await run.progress()).inputs === 0) await removeRun(redis, name);
      interruption.check(`; --resume adds what is missing of the run ${name}`);
      throw error;
    } finally {
      interruption.dispose();
    }
  });
}

async function* until<T>(signal: AbortSignal, items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
}
