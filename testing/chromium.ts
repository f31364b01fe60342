/** The Chromium shared by the page tests of a process: starting one takes longer than many tests. */
import type { Browser } from 'playwright-core';
import { launchChromium } from '../conformance/runners/launch_chromium.js';

interface Test {
  teardown(end: () => void): unknown;
}

/** Milliseconds from the last test until it is closed, unless another one starts. (tap ends if its root has a teardown.) */
const IDLE = 2000;

/** Pages can collect garbage, to show what must not be collected. */
const FLAGS = ['--js-flags=--expose-gc'];

let browser: Promise<Browser> | undefined;
let users = 0;

/** Stays open while a test of this process needs it; tests close their own pages. */
export function sharedChromium(t: Test): Promise<Browser> {
  browser ??= launchChromium(FLAGS);
  users++;
  t.teardown(() => {
    users--;
    setTimeout(async () => {
      const idle = users === 0 ? browser : undefined;
      if (idle) browser = undefined;
      await (await idle)?.close();
    }, IDLE);
  });
  return browser;
}
