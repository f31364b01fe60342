/** Times measured with tinybench: alternatives in turn, several rounds, median of the rounds' medians. */
import { Bench } from 'tinybench';

export interface Timing {
  /** Other load on the machine changes between rounds, and affects all alternatives equally. 3 by default. */
  readonly rounds?: number;
  /** Milliseconds per alternative and round, 100 by default. */
  readonly time?: number;
}

/** The median time per call of each alternative, in milliseconds. */
export async function medianTimes<Name extends string>(
  alternatives: Readonly<Record<Name, () => void>>,
  { rounds = 3, time = 100 }: Timing = {},
): Promise<Record<Name, number>> {
  const names = Object.keys(alternatives) as Name[];
  const medians = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const bench = new Bench({ time, warmupTime: time / 5, iterations: 5, warmupIterations: 3, throws: true });
    for (const name of names) bench.add(name, alternatives[name]);
    await bench.run();
    for (const { name, result } of bench.tasks) {
      if (result.state === 'completed') medians.get(name as Name)?.push(result.latency.p50);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(medians.get(name) ?? [])])) as Record<
    Name,
    number
  >;
}

/** Milliseconds until a promise resolves. */
export async function timeUntil(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}

/** Milliseconds of one call. */
export function timeOf(run: () => unknown): number {
  const start = performance.now();
  run();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
