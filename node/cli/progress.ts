/** A progress bar on a terminal, nothing in a pipe. */
import type { SingleBar } from 'cli-progress';
import { progressOutput } from './terminal.js';

const MEBIBYTE = 2 ** 20;

/** A bar of cli-progress on standard error; undefined where none is to be shown. */
export async function progressBar(format: string): Promise<SingleBar | undefined> {
  const stream = progressOutput();
  if (!stream) return undefined;
  const { SingleBar } = await import('cli-progress');
  return new SingleBar({ format, hideCursor: true, stream });
}

/** Shows how many of some things are done, where there are several. */
export async function countBar(
  what: string,
): Promise<{ update(done: number, total: number): void; stop(): void }> {
  const bar = await progressBar(`{bar} {value} of {total} ${what}`);
  let isRunning = false;
  return {
    update: (done, total) => {
      if (!bar || total === 1) return;
      if (!isRunning) bar.start(total, done);
      bar.update(done);
      isRunning = true;
    },
    stop: () => {
      if (isRunning) bar?.stop();
      isRunning = false;
    },
  };
}

/** Shows bytes done in all, by stage, on standard error. */
export class ByteProgress {
  private stage = '';

  private constructor(private readonly bar: SingleBar | undefined) {}

  static async start(): Promise<ByteProgress> {
    return new ByteProgress(await progressBar('{stage} {bar} {value} of {total} MiB'));
  }

  readonly update = (stage: string, done: number, total: number): void => {
    if (!this.bar) return;
    const [value, all] = [done, total].map((bytes) => Number((bytes / MEBIBYTE).toFixed(1)));
    if (stage !== this.stage) {
      this.bar.stop();
      this.bar.start(all, value, { stage });
      this.stage = stage;
    } else {
      this.bar.update(value, { stage });
    }
  };

  stop(): void {
    this.bar?.stop();
  }
}
