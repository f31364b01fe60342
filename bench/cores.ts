/**
 * Measures how many cores a page currently has to itself: the combined rate of arithmetic in the page and in a worker at the same
 * time, divided by the page's rate alone. The processors of a virtual machine may at times be two hardware threads of one core;
 * the result is then close to 1.
 */

/** The worker starts after the page and ends before it. */
const PAGE_MS = 40;
const WORKER_MS = 30;
const ITERATIONS = 20_000;

/** Independent additions and multiplications, as many as a core can execute. @returns calls per millisecond */
function rateOf(limit: number, iterations: number): number {
  const start = performance.now();
  let calls = 0;
  let [a, b, c, d, e, f, g, h] = [0, 0, 0, 0, 0, 0, 0, 0];
  let elapsed = 0;
  for (; elapsed < limit; calls++) {
    for (let i = 0, x = 0.5; i < iterations; i++, x += 1e-3) {
      a += x * 0.1;
      b += x * 0.2;
      c += x * 0.3;
      d += x * 0.4;
      e += x * 0.5;
      f += x * 0.6;
      g += x * 0.7;
      h += x * 0.8;
    }
    elapsed = performance.now() - start;
  }
  return a + b + c + d + e + f + g + h > 0 ? calls / elapsed : 0;
}

/** The code of the worker. @param measure may have any name: bundlers rename functions */
export function workerScript(measure: typeof rateOf): string {
  return `const rate = ${measure}; onmessage = () => postMessage(rate(${WORKER_MS}, ${ITERATIONS}));`;
}

/** A worker to measure in parallel with. */
export class Cores {
  private readonly worker: Worker;

  constructor() {
    const url = URL.createObjectURL(new Blob([workerScript(rateOf)], { type: 'text/javascript' }));
    this.worker = new Worker(url);
  }

  /** @returns at most 2 */
  async measure(): Promise<number> {
    const alone = rateOf(WORKER_MS, ITERATIONS);
    const other = new Promise<number>((resolve, reject) => {
      this.worker.onmessage = ({ data }) => resolve(data);
      this.worker.onerror = ({ message }) => reject(new Error(`the worker that measures failed: ${message}`));
    });
    this.worker.postMessage(0);
    const together = rateOf(PAGE_MS, ITERATIONS);
    return (together + (await other)) / alone;
  }

  end(): void {
    this.worker.terminate();
  }
}
