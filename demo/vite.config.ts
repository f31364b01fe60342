/** `npm run demo` and `npm run build:demo`. */
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * tfjs starts its threads with the source text of a function, which tests with `typeof` for a variable beside it. A
 * minifier drops the test, and the threads fail: here the function has the variable itself.
 */
const selfContainedThreads: Plugin = {
  name: 'self-contained-threads',
  transform: {
    filter: { id: /tfjs-backend-wasm-threaded-simd\.js$/ },
    handler: (code) => code.replace(/\nfunction\(WasmBackendModuleThreadedSimd\) \{/, '$& var _scriptDir;'),
  },
};

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './', // the built page runs in any folder of any host
  publicDir: 'static',
  assetsInclude: ['**/*.pth', '**/*.safetensors'],
  plugins: [selfContainedThreads],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: { dedupe: ['@tensorflow/tfjs-core'] },
  build: { outDir: '../out/demo', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  worker: { format: 'es', plugins: () => [selfContainedThreads] },
  server: { fs: { allow: [ROOT] } },
});
