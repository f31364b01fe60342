/** `npm run demo` serves the page of demo/ for development; with `--build` it is built to out/demo, for any static host. */
import { parseArgs } from 'node:util';
import { installPackages, run } from './setup.mjs';

const { build } = parseArgs({ options: { build: { type: 'boolean' } } }).values;
installPackages();
run('node', ['scripts/build_wasm.mjs']);
run('node', ['scripts/build_js.mjs']);
run('npx', ['vite', ...(build ? ['build'] : []), '--config', 'demo/vite.config.ts']);
