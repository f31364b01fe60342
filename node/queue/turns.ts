/** Runs some work concurrently and some exclusively, in order of arrival, so that neither kind waits for ever. */
export class Turns {
  private readonly shared = new Set<Promise<unknown>>();
  private lastAlone: Promise<unknown> = Promise.resolve();

  share<T>(work: () => Promise<T>): Promise<T> {
    const done = this.lastAlone.then(work);
    const entry = done.catch(() => {}).finally(() => this.shared.delete(entry));
    this.shared.add(entry);
    return done;
  }

  alone<T>(work: () => Promise<T>): Promise<T> {
    const done = Promise.all([this.lastAlone, ...this.shared]).then(work);
    this.lastAlone = done.catch(() => {});
    return done;
  }
}
