/** Bundles the page with esbuild: the cases of this package, tfjs with its backends, and the available kernels. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BACKENDS, backendEntry, backendsOn } from '../../plugin/backends.js';
import { BackendMissing } from '../backend.js';

const here = dirname(fileURLToPath(import.meta.url));
/** `.ts` in a checkout, `.js` in a build. */
const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** Backends of pages that have kernels in addition to the reference ones, which the suite itself imports. */
const BUNDLED = BACKENDS.filter(
  ({ name, platforms }) => name !== 'cpu' && (platforms as readonly string[]).includes('page'),
);

let bundled: Promise<string> | undefined;

/** Built once for all pages of a process. @returns the text of a module. @throws {BackendMissing} if esbuild is not installed */
export function bundlePage(): Promise<string> {
  bundled ??= bundle();
  return bundled;
}

async function bundle(): Promise<string> {
  const present = BUNDLED.filter(({ module }) => existsSync(join(here, '../..', module + ending)));
  const entry = [
    `import '@tensorflow/tfjs-core/dist/register_all_gradients.js';`,
    ...backendsOn('page').map((name) => `import '${backendEntry(name).tfjsPackage}';`),
    `import { servePage } from './page${ending}';`,
    ...present.map(({ name, module }) => `import * as ${name} from '../../${module}${ending}';`),
    `servePage({ ${present.map(({ name }) => name).join(', ')} });`,
  ];
  return bundleForPage(entry.join('\n'), here);
}

/**
 * A module for a page.
 * @param contents its text, with imports relative to `resolveDir`
 * @throws {BackendMissing} if esbuild is not installed
 */
export async function bundleForPage(contents: string, resolveDir: string): Promise<string> {
  const { build } = await import('esbuild').catch(() => {
    throw new BackendMissing('pages need esbuild and playwright-core: npm install esbuild playwright-core');
  });
  const { outputFiles } = await build({
    stdin: { contents, resolveDir, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // Registrations are side effects, even in files that a package declares free of them.
    ignoreAnnotations: true,
    logLevel: 'silent',
  });
  return outputFiles[0].text;
}
