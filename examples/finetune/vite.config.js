import { fileURLToPath } from 'node:url';

export default {
  base: './',
  worker: { format: 'es' },
  assetsInclude: ['**/*.pth'],
  server: { fs: { allow: [fileURLToPath(new URL('../..', import.meta.url))] } },
};
