/** Finds and starts a real Chromium: for the suite, and for tests that need a page. */
import { existsSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { BackendMissing } from '../backend.js';

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

/**
 * Features of Chromium that are off: those that Playwright turns off, since a second list replaces the first, and the
 * pages behind the address bar, which are loaded for each window and take a fifth of opening one.
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
 * Nothing that talks to the network by itself; WebGL in software where there is no GPU, on the GPU where there is one.
 * Compiled shaders are not kept: every browser here has a profile of its own, and writing them takes a tenth of a run.
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
  // WebGPU too, in software where there is no GPU, and without zeroing workgroup memory (software_vulkan.ts says why).
  '--enable-unsafe-webgpu',
  '--enable-dawn-features=disable_workgroup_init',
  '--disable-gpu-program-cache',
  '--disable-gpu-shader-disk-cache',
  // Else programs are merged and compressed for that cache, and compiled in parts before they are whole.
  `--disable-angle-features=${[
    'warmUpPipelineCacheAtLink',
    'cacheCompiledShader',
    'enablePipelineCacheDataCompression',
    'mergeProgramPipelineCachesToGlobalCache',
    'syncMonolithicPipelinesToBlobCache',
    'supportsGraphicsPipelineLibrary',
  ]}`,
];

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

/** Why there is no Chromium, for tests that then skip; undefined when there is one. */
export function chromiumMissing(): string | undefined {
  try {
    findChromium();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Starts it, headless. @throws {BackendMissing} when it cannot be had */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  const { chromium } = await import('playwright-core').catch(() => {
    throw new BackendMissing('pages need esbuild and playwright-core: npm install esbuild playwright-core');
  });
  return chromium.launch({ executablePath, args: FLAGS }).catch((error: Error) => {
    throw new BackendMissing(`${executablePath} did not start: ${error.message.split('\n')[0]}`);
  });
}
