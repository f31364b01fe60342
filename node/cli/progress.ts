/** Progress bars on a terminal, nothing in a pipe. */
import type { SingleBar } from 'cli-progress';
import { progressOutput } from './terminal.js';

const MEBIBYTE = 2 ** 20;

/** A bar of cli-progress on standard error; undefined if none should be shown. */
export async function progressBar(format: string): Promise<SingleBar | undefined> {
  const stream = progressOutput();
  if (!stream) return undefined;
  const { SingleBar } = await import('cli-progress');
  return new SingleBar({ format, hideCursor: true, stream });
}

/** Shows a count of completed items, if there are several. */
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

/** Shows the number of images done, the rate, and, if the total is known, the remaining time. */
export class ImageBar {
  private readonly start = performance.now();
  private done: number;
  private total: number | undefined;
  private isStopped = false;

  private constructor(
    private readonly bar: SingleBar,
    /** Images done in earlier runs. */
    private readonly before: number,
  ) {
    this.done = before;
    bar.start(0, 0, { text: 'starting' });
  }

  /** @param before images that are already done */
  static async start(before: number, isShown: boolean): Promise<ImageBar | undefined> {
    const bar = isShown ? await progressBar('{bar} {text}') : undefined;
    return bar && new ImageBar(bar, before);
  }

  add(): void {
    this.done++;
    const rate = (1000 * (this.done - this.before)) / (performance.now() - this.start);
    const some = `${this.done}${this.total === undefined ? '' : ` of ${this.total}`} images, ${rate.toFixed(1)}/s`;
    const left = this.total === undefined ? '' : `, ${duration((this.total - this.done) / rate)} left`;
    this.bar.update(this.done, { text: some + left });
  }

  /** Counts the inputs while work goes on. */
  count(inputs: AsyncIterable<unknown>): void {
    const counted = async () => {
      let total = 0;
      for await (const _ of inputs) {
        if (this.isStopped) return;
        total++;
      }
      this.total = total;
      this.bar.setTotal(total);
    };
    counted().catch(() => {}); // errors in the list are reported by the work itself
  }

  stop(): void {
    this.isStopped = true;
    this.bar.stop();
  }
}

/** A duration as `h:mm:ss` or `m:ss`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return `${hours > 0 ? `${hours}:${two(minutes)}` : minutes}:${two(whole % 60)}`;
}

/** A bar for each stage of some work, which passes the function that updates it to `use`. */
export async function withStageBars<T>(
  format: string,
  use: (update: (stage: string, done: number, total: number, text?: object) => void) => Promise<T>,
): Promise<T> {
  const bar = await progressBar(format);
  let current = '';
  try {
    return await use((stage, done, total, text) => {
      if (stage !== current) {
        bar?.stop();
        bar?.start(total, done, { stage, ...text });
        current = stage;
      } else bar?.update(done, text);
    });
  } finally {
    bar?.stop();
  }
}

/** Bars of the bytes done. */
export function withByteBars<T>(
  use: (update: (stage: string, done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const mebibytes = (bytes: number) => Number((bytes / MEBIBYTE).toFixed(1));
  return withStageBars('{stage} {bar} {value} of {total} MiB', (update) =>
    use((stage, done, total) => update(stage, mebibytes(done), mebibytes(total))),
  );
}
