/** `npm run demo` and `npm run build:demo`. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './', // the built page runs in any folder of any host
  publicDir: 'static',
  assetsInclude: ['**/*.pth', '**/*.safetensors'],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  resolve: { dedupe: ['@tensorflow/tfjs-core'] },
  build: { outDir: '../out/demo', emptyOutDir: true, target: 'es2022', assetsInlineLimit: 0 },
  worker: { format: 'es' },
  server: { fs: { allow: [ROOT] } },
});
