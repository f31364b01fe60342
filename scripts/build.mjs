/**
 * `npm run build`: builds the native parts and dist/, in parallel where they are independent. With `--test`, as from `npm test`,
 * also the addon with race detection, and the checks of the sources.
 */
import { parseArgs } from 'node:util';
import { hasProgram, run, runTogether, TSC } from './setup.mjs';

const { test } = parseArgs({ options: { test: { type: 'boolean' } } }).values;
const script = (name, ...args) => ['node', [`scripts/${name}.mjs`, ...args]];

const cuda = [script('build_cuda', ...(test ? ['--races'] : []))];
const others = [
  script('build_wasm'),
  script('build_js', ...(test ? ['--check-all'] : [])),
  ...(test
    ? [
        ['npx', ['biome', 'check']],
        ['node', [TSC, '-p', 'demo']], // against dist/, like a user of the package
      ]
    : []),
];

run(...script('constants'));
run(...script('wasm_functions'));
// These install what is missing, and two installations at the same time fail.
const installs = ['emcc', 'cmake', 'make', 'g++'].some((program) => !hasProgram(program));
await (installs ? runTogether([...cuda, ...others]) : runTogether(cuda, others));
