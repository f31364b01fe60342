/** What test bodies in a page use: see chromium.ts. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';

export { tf };

import { type Fixture, parseFixture } from '../../../testing/fixture_format.js';

/** The outcome of one assertion. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly comment?: string;
}

/** Assertions of a test in a page. */
export interface PageTest {
  ok(value: boolean, what: string): void;
  equal<T>(given: T, wanted: T, what: string): void;
  atMost(value: number, bound: number, what: string): void;
  /** @returns what was thrown */
  throws(run: () => unknown, pattern: RegExp, what: string): Promise<unknown>;
}

declare global {
  interface Window {
    pageTests: { names(): string[]; run(name: string): Promise<Finding[]> };
  }
}

const tests = new Map<string, (t: PageTest) => Promise<void> | void>();

window.pageTests = {
  names: () => [...tests.keys()],
  run: async (name) => {
    const findings: Finding[] = [];
    const ok = (value: boolean, what: string, comment?: string) =>
      findings.push({ what, ok: value, comment });
    try {
      await tests.get(name)?.({
        ok,
        equal: (given, wanted, what) => ok(Object.is(given, wanted), what, `${given}, expected ${wanted}`),
        atMost: (value, bound, what) => ok(value <= bound, what, `${value.toPrecision(3)}, at most ${bound}`),
        throws: async (run, pattern, what) => {
          try {
            await run();
          } catch (error) {
            ok(pattern.test(`${(error as Error).name}: ${(error as Error).message}`), what, String(error));
            return error;
          }
          ok(false, what, 'nothing was thrown');
          return undefined;
        },
      });
    } catch (error) {
      ok(false, 'no unexpected error', (error as Error).stack ?? String(error));
    }
    return findings;
  },
};

tf.enableProdMode();

export function pageTest(name: string, body: (t: PageTest) => Promise<void> | void): void {
  tests.set(name, async (t) => {
    await tf.setBackend('webgl');
    await body(t);
  });
}

/** Fixture files of a pattern, such as `grootv/treescan_L1.safetensors`. */
export async function fixtureNames(pattern: RegExp): Promise<string[]> {
  const names: string[] = await (await fetch('/fixtures.json')).json();
  return names.filter((name) => pattern.test(name));
}

export async function fetchFixture(name: string): Promise<Fixture> {
  return parseFixture(name, new Uint8Array(await fetchBytes(name)));
}

export async function fetchBytes(name: string): Promise<ArrayBuffer> {
  const response = await fetch(`/fixtures/${name}`);
  if (!response.ok) throw new Error(`no fixture ${name}`);
  return response.arrayBuffer();
}
