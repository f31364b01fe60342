/**
 * `npm run build`: what is native and dist/, side by side where one does not need the other. With `--test`, as `npm test`
 * calls it, also the addon that looks for races, and the checks of the sources.
 */
import { parseArgs } from 'node:util';
import { hasProgram, run, runTogether } from './setup.mjs';

const { test } = parseArgs({ options: { test: { type: 'boolean' } } }).values;
const script = (name, ...args) => ['node', [`scripts/${name}.mjs`, ...args]];

const cuda = [script('build_cuda', ...(test ? ['--races'] : []))];
const others = [
  script('build_wasm'),
  script('build_js', ...(test ? ['--check-all'] : [])),
  ...(test
    ? [
        ['npx', ['biome', 'check']],
        ['npx', ['tsc', '-p', 'demo']], // from dist/, as a user of the package has it
      ]
    : []),
];

run(...script('constants'));
run(...script('wasm_functions'));
// What is missing is installed by them, and two installations at the same time refuse each other.
const installs = ['emcc', 'cmake', 'make', 'g++'].some((program) => !hasProgram(program));
await (installs ? runTogether([...cuda, ...others]) : runTogether(cuda, others));
