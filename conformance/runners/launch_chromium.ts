/** Finds and starts a real Chromium, for the suite and for tests that need a page. */
import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { BackendMissing } from '../backend.js';

/** This variable's value has precedence; then the locations used by distributions for Chromium and Chrome. */
const VARIABLE = 'CHROMIUM_PATH';
const USUAL_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/**
 * Disabled features of Chromium: those that Playwright disables, since a second list replaces the first, and the address bar's
 * pages, which are loaded for each window and take a fifth of the time to open one.
 */
const FEATURES_OFF = [
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsUpgrades',
  'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay',
  'MediaRouter',
  'PaintHolding',
  'ThirdPartyStoragePartitioning',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'TcpPortRandomizationWin',
  'OptimizationHints',
  'NetworkTimeServiceQuerying',
  'AimEnabled',
  'PreconnectToSearch',
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup'],
];

/**
 * No background network access; WebGL in software if there is no GPU, otherwise on the GPU. Compiled shaders are not cached:
 * every browser here has a new profile, and writing the cache takes a tenth of a run.
 */
const FLAGS = [
  `--disable-features=${FEATURES_OFF.join()}`,
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-unsafe-swiftshader',
  // WebGPU too, in software if there is no GPU, and without zeroing workgroup memory (software_vulkan.ts says why).
  '--enable-unsafe-webgpu',
  '--enable-dawn-features=disable_workgroup_init',
  '--disable-gpu-program-cache',
  '--disable-gpu-shader-disk-cache',
  // Otherwise programs are merged and compressed for that cache, and compiled in parts before they are complete.
  `--disable-angle-features=${[
    'warmUpPipelineCacheAtLink',
    'cacheCompiledShader',
    'enablePipelineCacheDataCompression',
    'mergeProgramPipelineCachesToGlobalCache',
    'syncMonolithicPipelinesToBlobCache',
    'supportsGraphicsPipelineLibrary',
  ]}`,
];

/** @throws {BackendMissing} that says how to install one */
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

/** Why there is no Chromium, for tests that then skip; undefined if there is one. */
export function chromiumMissing(): string | undefined {
  try {
    findChromium();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Starts it, headless.
 * @param flags in addition to those of the suite
 * @throws {BackendMissing} if it is not available
 */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  const { chromium } = await import('playwright-core').catch(() => {
    throw new BackendMissing('pages need esbuild and playwright-core: npm install esbuild playwright-core');
  });
  return chromium.launch({ executablePath, args: [...FLAGS, ...flags] }).catch((error: Error) => {
    throw new BackendMissing(`${executablePath} did not start: ${error.message.split('\n')[0]}`);
  });
}
