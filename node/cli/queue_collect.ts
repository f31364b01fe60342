/** `grootvl queue collect`. */
import { writeOutput } from '../atomic_file.js';
import { kindOf } from '../many_images/kinds.js';
import { RowTally, type Sink } from '../many_images/rows/row.js';
import { type RowFormat, rowWriter } from '../many_images/rows/row_writer.js';
import { Run } from '../queue/run.js';
import { Failure, PARTLY_FAILED, partlyFailed } from './failure.js';
import { Interruption } from './interruption.js';
import { ImageBar } from './progress.js';
import { type QueueFlags, withServer } from './queue_server.js';
import { formatOf, rowPathOf } from './row_output.js';
import { inline, print, printed, stream } from './terminal.js';

interface Flags extends QueueFlags {
  readonly wait?: boolean;
  readonly format?: RowFormat;
  readonly out?: string;
}

export async function queueCollect(flags: Flags): Promise<void> {
  const rowFlags = { rows: flags.out, format: flags.format };
  const format = formatOf(rowFlags);
  const path = rowPathOf(rowFlags);
  const interruption = new Interruption();
  try {
    await withServer(flags, async ({ redis }) => {
      const run = await Run.open(redis, flags.name);
      const kind = await kindOf(run.spec.task);
      const tally = new RowTally();
      const write = async (sink: Sink) => {
        const writer = await rowWriter(format, kind, run.spec.task, sink);
        const bar = await ImageBar.start(0, path !== undefined);
        try {
          for await (const row of run.rows({ wait: flags.wait ?? false, signal: interruption.signal })) {
            await writer.write(row);
            tally.add(row);
            bar?.add();
          }
        } finally {
          bar?.stop();
        }
        await writer.end();
      };
      await (path === undefined ? write(toTerminal) : writeOutput(path, write));
      if (path !== undefined) print(`${tally.rows} rows written to ${inline(path, 4096)}`);
      const { inputs, isAdded } = await run.progress();
      if (tally.rows < inputs || !isAdded) {
        const more = isAdded ? '' : ', and not all inputs have been added';
        throw new Failure(
          PARTLY_FAILED,
          `${inputs - tally.rows} of ${inputs} inputs have no result yet${more}`,
        );
      }
      if (tally.failed > 0) throw partlyFailed(tally.failed, tally.rows, tally.firstError);
    });
  } catch (error) {
    interruption.check();
    throw error;
  } finally {
    interruption.dispose();
  }
}

async function toTerminal(bytes: string | Uint8Array): Promise<void> {
  stream(String(bytes));
  await printed();
}
