/** The Chromium of the page tests of a process: starting one takes longer than many a test. */
import type { Browser } from 'playwright-core';
import { launchChromium } from '../conformance/runners/launch_chromium.js';

interface Test {
  teardown(end: () => void): unknown;
}

/** Milliseconds after the last test until it is closed, unless another comes. (tap ends where its root has a teardown.) */
const IDLE = 2000;

let browser: Promise<Browser> | undefined;
let users = 0;

/** Stays open while a test of this process needs it; a test closes its pages itself. */
export function sharedChromium(t: Test): Promise<Browser> {
  browser ??= launchChromium();
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
