/** Ctrl-C and SIGTERM: what has been begun is finished and kept; a second one ends the process at once. */
import { Failure } from './failure.js';

/** Exit status of a command that was interrupted, as shells give it. */
export const INTERRUPTED = 130;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** From its making to `dispose`, the signals do not end the process. */
export class Interruption {
  private readonly controller = new AbortController();
  private readonly interrupt = () => this.controller.abort();

  constructor() {
    for (const name of SIGNALS) process.once(name, this.interrupt);
  }

  /** Aborted by a signal. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** @throws {Failure} when there was a signal: `interrupted`, and what there is to say of it */
  check(more = ''): void {
    if (this.signal.aborted) throw new Failure(INTERRUPTED, `interrupted${more}`);
  }

  dispose(): void {
    for (const name of SIGNALS) process.off(name, this.interrupt);
  }
}
