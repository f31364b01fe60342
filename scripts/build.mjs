/**
 * `npm run build`: what is native and dist/, side by side where one does not need the other. With `--test`, as `npm test`
 * calls it, also the addon that looks for races, and the checks of the sources, which check the types of dist/ as well.
 */
import { parseArgs } from 'node:util';
import { run, runTogether } from './setup.mjs';

const { test } = parseArgs({ options: { test: { type: 'boolean' } } }).values;
const script = (name, ...args) => ['node', [`scripts/${name}.mjs`, ...args]];

run(...script('constants'));
await runTogether(
  [script('build_cuda', ...(test ? ['--races'] : []))],
  [
    script('build_wasm'),
    script('build_js', ...(test ? ['--unchecked'] : [])),
    ...(test
      ? [
          ['npx', ['biome', 'check']],
          ['npx', ['tsc', '--noEmit', '-p', '.']],
        ]
      : []),
  ],
);
