/** `npm run demo` and `npm run build:demo`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { bundledModels } from './vite/bundled_models.js';
import { offline } from './vite/offline.js';
import { contentSecurityPolicy } from './vite/policy.js';
import { noteChunks, reportSizes } from './vite/sizes.js';
import { selfContainedThreads } from './vite/threads.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './', // the built page can be in any folder of any host
  publicDir: 'static',
  plugins: [bundledModels, contentSecurityPolicy, offline, noteChunks, reportSizes],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: { dedupe: ['@tensorflow/tfjs-core'] },
  build: { outDir: '../out/demo', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  worker: { format: 'es', plugins: () => [bundledModels, selfContainedThreads, noteChunks] },
  server: { fs: { allow: [ROOT] } },
});
