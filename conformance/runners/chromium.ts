/** Runs the suite in a real Chromium. */
import type { Page } from 'playwright-core';
import type { Sampling } from '../case.js';
import type { Report } from '../report/report.js';
import { type Progress, runConformance } from '../run.js';
import type { CaseSource } from '../source.js';
import { launchChromium } from './launch_chromium.js';
import { bundlePage } from './page_bundle.js';
import { servePages } from './page_server.js';
import type { Target } from './targets.js';

export interface ChromiumOptions {
  /** All isolated, or none. */
  readonly targets: readonly Target[];
  readonly source: CaseSource;
  readonly seed: number;
  readonly generated: boolean;
  readonly sampling: Sampling;
  /** With a software renderer, tfjs compiles one shader for several shapes; off by default, as in tfjs. */
  readonly fewerShaders?: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** Never throws: unavailable targets are skipped with the reason. */
export async function runInChromium(options: ChromiumOptions): Promise<Report> {
  const { targets, seed, onProgress } = options;
  try {
    return await run(options);
  } catch (error) {
    const start = () => Promise.reject(error);
    const run = start;
    const backends = targets.map(
      ({ name }) => ({ name, tolerance: 'float32', runsModels: false, start, run, gradients: run }) as const,
    );
    return runConformance({ backends, cases: [], seed, onProgress });
  }
}

async function run(options: ChromiumOptions): Promise<Report> {
  const browser = await launchChromium();
  try {
    const server = await servePages(await bundlePage(), options.source, options.targets[0].isolated);
    try {
      return await runInPage(await browser.newPage(), server.url, options);
    } finally {
      await server.close();
    }
  } finally {
    await browser.close();
  }
}

async function runInPage(
  page: Page,
  url: string,
  { targets, seed, generated, sampling, fewerShaders = false, onProgress }: ChromiumOptions,
): Promise<Report> {
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.exposeFunction('reportConformanceProgress', (progress: Progress) => onProgress?.(progress));
  await page.goto(url);
  await page
    .waitForFunction('window.runConformanceInPage !== undefined', undefined, { timeout: 60_000 })
    .catch(() => {
      throw new Error(`the page did not start: ${errors.join('; ') || 'no error was reported'}`);
    });
  const request = {
    backends: targets.map(({ backend, name, flags, threads }) => ({ backend, name, flags, threads })),
    environment: targets[0].isolated ? 'chromium, isolated' : 'chromium',
    seed,
    generated,
    sampling,
    fewerShaders,
  };
  const json = await page.evaluate((request) => window.runConformanceInPage?.(request), request);
  return JSON.parse(json as string) as Report;
}
