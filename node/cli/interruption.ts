/** Ctrl-C and SIGTERM: work in progress is finished and kept; a second signal ends the process at once. */
import { Failure } from './failure.js';

/** Exit status of an interrupted command, as shells report it. */
export const INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** From construction to `dispose`, the signals do not end the process. */
export class Interruption {
  private readonly controller = new AbortController();
  private readonly interrupt = () => this.controller.abort(this.reason);

  /** @param reason of the signal, if it is thrown */
  constructor(private readonly reason?: Failure) {
    for (const name of SIGNALS) process.once(name, this.interrupt);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** @throws {Failure} after a signal: `interrupted`, followed by `more` */
  check(more = ''): void {
    if (this.signal.aborted) throw new Failure(INTERRUPTED, `interrupted${more}`);
  }

  /** Writes; once more after a signal, which removes unfinished outputs, including one being written. */
  async finish(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!this.signal.aborted) throw error;
      await write();
    }
  }

  dispose(): void {
    for (const name of SIGNALS) process.off(name, this.interrupt);
  }
}
