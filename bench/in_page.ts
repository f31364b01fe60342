/** Measurements in pages of Chromium. */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackendMissing } from '../conformance/backend.js';
import { memorySource } from '../conformance/index.js';
import { launchChromium } from '../conformance/runners/launch_chromium.js';
import { bundleForPage } from '../conformance/runners/page_bundle.js';
import { servePages } from '../conformance/runners/page_server.js';
import type { ConvolutionTime } from './convolutions.js';
import type { ProductTime } from './matrix_products.js';
import type { PredictionTimes } from './prediction.js';
import type { ThreadsTime } from './threads_page.js';

declare global {
  interface Window {
    /** Exported by the module in the page. */
    measure?: (argument?: number) => Promise<unknown>;
  }
}

/** Why something was not measured: Chromium or esbuild is missing. */
export interface NoPage {
  readonly missing: string;
}

/** What is measured in a plain page. */
export interface PageTimes extends PredictionTimes {
  readonly products: readonly ProductTime[];
  readonly convolutions: readonly ConvolutionTime[];
}

/** Number of threads to compare with one. */
const THREADS = 2;

/** The speed-up by threads: a prediction of GrootV-T in a cross-origin isolated page. */
export function benchThreads(): Promise<ThreadsTime | NoPage> {
  return measureIn('threads_page', true, THREADS);
}

/** Predictions, products and convolutions, single-threaded in a plain page: its engine may support other instructions than Node. */
export function benchPage(): Promise<PageTimes | NoPage> {
  return measureIn('plain_page', false);
}

/** The result of `window.measure` of a module in this folder. */
async function measureIn<Times>(
  name: string,
  isIsolated: boolean,
  argument?: number,
): Promise<Times | NoPage> {
  try {
    const browser = await launchChromium();
    const server = await servePages(await bundle(name), memorySource(new Map()), isIsolated);
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      await page.waitForFunction('window.measure !== undefined');
      return (await page.evaluate((given) => window.measure?.(given), argument)) as Times;
    } finally {
      await server.close();
      await browser.close();
    }
  } catch (error) {
    if (error instanceof BackendMissing) return { missing: error.message };
    throw error;
  }
}

function bundle(name: string): Promise<string> {
  // `.ts` in a checkout, `.js` in a build.
  const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  const contents = `import '../plugin/index${ending}'; import './${name}${ending}';`;
  return bundleForPage(contents, dirname(fileURLToPath(import.meta.url)));
}
