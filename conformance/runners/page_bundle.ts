/** Bundles the page with esbuild: this package's cases, tfjs with its backends, and whichever kernels there are. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BackendMissing } from '../backend.js';

const here = dirname(fileURLToPath(import.meta.url));
/** `.ts` in a checkout, `.js` in a build. */
const ending = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

const KERNELS = { wasm: '../../wasm/index', webgl: '../../gpu/webgl/index' } as const;

/** The folder in which the .wasm files of this package lie. */
export const OWN_WASM = join(here, '../../wasm');

/** @returns the text of a module. @throws {BackendMissing} when esbuild is not installed */
export async function bundlePage(): Promise<string> {
  const { build } = await import('esbuild').catch(() => {
    throw new BackendMissing('pages need esbuild and playwright-core: npm install esbuild playwright-core');
  });
  const present = Object.entries(KERNELS).filter(([, path]) => existsSync(join(here, path + ending)));
  const entry = [
    `import '@tensorflow/tfjs-core/dist/register_all_gradients.js';`,
    `import '@tensorflow/tfjs-backend-cpu';`,
    `import '@tensorflow/tfjs-backend-webgl';`,
    `import { servePage } from './page${ending}';`,
    ...present.map(([name, path]) => `import * as ${name} from '${path}${ending}';`),
    `servePage({ ${present.map(([name]) => name).join(', ')} });`,
  ];
  const { outputFiles } = await build({
    stdin: { contents: entry.join('\n'), resolveDir: here, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // Registrations are side effects, also of files that a package lists as free of them.
    ignoreAnnotations: true,
    logLevel: 'silent',
    loader: { '.wasm': 'empty' },
  });
  return outputFiles[0].text;
}
