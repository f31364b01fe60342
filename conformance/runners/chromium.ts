/** Runs the suite in a real Chromium. */
import { existsSync } from 'node:fs';
import { BackendMissing } from '../backend.js';
import type { Report } from '../report/report.js';
import { type Progress, runConformance } from '../run.js';
import type { CaseSource } from '../source.js';
import { bundlePage } from './page_bundle.js';
import { servePages } from './page_server.js';
import type { Place } from './places.js';

/** Names this variable's value first; then where distributions put Chromium and Chrome. */
const VARIABLE = 'CHROMIUM_PATH';
const USUAL_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** Software WebGL where there is no GPU, and nothing that talks to the network by itself. */
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
];

export interface ChromiumOptions {
  /** Of one kind: all isolated, or none. */
  readonly places: readonly Place[];
  readonly source: CaseSource;
  readonly seed: number;
  readonly generated: boolean;
  readonly onProgress?: (progress: Progress) => void;
}

/** Never throws: places that cannot be had are skipped with the reason. */
export async function runInChromium(options: ChromiumOptions): Promise<Report> {
  const { places, seed, onProgress } = options;
  try {
    return await run(options);
  } catch (error) {
    const start = () => Promise.reject(error);
    const run = start;
    const backends = places.map(
      ({ name }) => ({ name, precision: 'float32', runsModels: false, start, run, gradients: run }) as const,
    );
    return runConformance({ backends, cases: [], seed, onProgress });
  }
}

async function run({ places, source, seed, generated, onProgress }: ChromiumOptions): Promise<Report> {
  const executablePath = findChromium();
  const { chromium } = await import('playwright-core').catch(() => {
    throw new BackendMissing('pages need esbuild and playwright-core: npm install esbuild playwright-core');
  });
  const server = await servePages(await bundlePage(), source, places[0].isolated);
  const browser = await chromium.launch({ executablePath, args: FLAGS }).catch((error: Error) => {
    throw new BackendMissing(`${executablePath} did not start: ${error.message.split('\n')[0]}`);
  });
  try {
    const page = await browser.newPage();
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.exposeFunction('reportConformanceProgress', (progress: Progress) => onProgress?.(progress));
    await page.goto(server.url);
    await page
      .waitForFunction('window.runConformanceInPage !== undefined', undefined, { timeout: 60_000 })
      .catch(() => {
        throw new Error(`the page did not start: ${errors.join('; ') || 'no error was reported'}`);
      });
    const request = {
      backends: places.map(({ backend, name }) => ({ backend, name })),
      environment: places[0].isolated ? 'chromium, isolated' : 'chromium',
      seed,
      generated,
    };
    const json = await page.evaluate((request) => window.runConformanceInPage?.(request), request);
    return JSON.parse(json as string) as Report;
  } finally {
    await browser.close();
    await server.close();
  }
}

/** @throws {BackendMissing} that says how to get one */
export function findChromium(): string {
  const chosen = process.env[VARIABLE];
  if (chosen) {
    if (existsSync(chosen)) return chosen;
    throw new BackendMissing(`${VARIABLE} is ${chosen}, which does not exist`);
  }
  const found = USUAL_PATHS.find((path) => existsSync(path));
  if (!found) throw new BackendMissing(`no Chromium was found: install one, or set ${VARIABLE} to its path`);
  return found;
}
