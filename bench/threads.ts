/** What threads gain: a prediction of GrootV-T in a cross-origin isolated page of Chromium. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackendMissing } from '../conformance/backend.js';
import { memorySource } from '../conformance/index.js';
import { launchChromium } from '../conformance/runners/launch_chromium.js';
import { bundleForPage } from '../conformance/runners/page_bundle.js';
import { servePages } from '../conformance/runners/page_server.js';
import type { ThreadsTime } from './threads_page.js';

export type { ThreadsTime } from './threads_page.js';

/** Beside one. */
const THREADS = 2;

/** @returns why it was not measured, where there is no Chromium or no esbuild. */
export async function benchThreads(): Promise<ThreadsTime | { readonly missing: string }> {
  try {
    return await measure();
  } catch (error) {
    if (error instanceof BackendMissing) return { missing: error.message };
    throw error;
  }
}

async function measure(): Promise<ThreadsTime> {
  const browser = await launchChromium();
  const server = await servePages(await bundle(), memorySource(new Map()), true);
  try {
    const page = await browser.newPage();
    await page.goto(server.url);
    await page.waitForFunction('window.measureThreads !== undefined');
    return await page.evaluate(
      (threads) => window.measureThreads?.(threads) as Promise<ThreadsTime>,
      THREADS,
    );
  } finally {
    await server.close();
    await browser.close();
  }
}

function bundle(): Promise<string> {
  // `.ts` in a checkout, `.js` in a build.
  const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const contents = `import '../plugin/index${ending}'; import './threads_page${ending}';`;
  return bundleForPage(contents, dirname(fileURLToPath(import.meta.url)));
}
