/** The API of test bodies in a page: see chromium.ts. */
import '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs-core';

export { tf };

import { compileFewerShaders, SHAPES_AS_UNIFORMS } from '../../../conformance/runners/standard.js';
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
  /** @returns the error that was thrown */
  throws(run: () => unknown, pattern: RegExp, what: string): Promise<unknown>;
}

declare global {
  interface Window {
    pageTests: {
      /** Those of the tests defined since the last call. */
      names(): string[];
      run(name: string): Promise<Finding[]>;
    };
  }
}

type Body = (t: PageTest) => Promise<void> | void;

const tests = new Map<string, Body>();
const names: string[] = [];

window.pageTests = {
  names: () => names.splice(0),
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

export function pageTest(name: string, body: Body): void {
  names.push(name);
  tests.set(name, async (t) => {
    tf.env().set(SHAPES_AS_UNIFORMS, false);
    await tf.setBackend('webgl');
    await body(t);
  });
}

/** With tfjs's shaders for several shapes, which must be compiled for a software renderer. */
export function quickPageTest(name: string, body: Body): void {
  pageTest(name, (t) => {
    compileFewerShaders();
    return body(t);
  });
}

/** Returns the fixture files that match a pattern, such as `grootv/treescan_L1.safetensors`. */
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
