/** A progress bar on a terminal, nothing in a pipe. */
import { SingleBar } from 'cli-progress';

const MEBIBYTE = 2 ** 20;

/** Shows bytes done in all, by stage, on standard error. */
export class ByteProgress {
  private readonly bar: SingleBar | undefined;
  private stage = '';

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    if (!stream.isTTY) return;
    this.bar = new SingleBar({ format: '{stage} {bar} {value} of {total} MiB', hideCursor: true, stream });
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
