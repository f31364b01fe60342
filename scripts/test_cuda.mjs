/**
 * `npm run test:cuda`: everything that needs a GPU, on the GPU of this machine: the backend's tests, the conformance suite,
 * tfjs-core's own specs, and the bench; with compute-sanitizer's memcheck and racecheck where that is installed. It
 * runs what `npm run build` has made, so that it also works where there is no compiler.
 */
import { spawnSync } from 'node:child_process';
import { hasProgram, ROOT } from './setup.mjs';

const env = { ...process.env, GROOTVL_CUDA: 'device' };
const cli = ['dist/node/cli/main.js'];
let failed = false;

function check(what, command, args) {
  console.log(`\n== ${what}`);
  const { status } = spawnSync(command, args, { cwd: ROOT, env, stdio: 'inherit' });
  if (status !== 0) {
    failed = true;
    console.log(`== ${what}: failed with status ${status}`);
  }
}

const conformance = [...cli, 'conformance', '--backends', 'cuda', '--require'];
const ready = "import('./dist/gpu/cuda/index.js').then(({ ready }) => ready())";
const { status, stderr } = spawnSync(process.execPath, ['--eval', ready], {
  cwd: ROOT,
  env,
  encoding: 'utf8',
});
if (status !== 0) {
  console.error(/CudaUnavailableError: (.*)/.exec(stderr)?.[1] ?? stderr);
  process.exit(1);
}
check('conformance', process.execPath, conformance);
check("tfjs-core's own specs", process.execPath, ['gpu/cuda/testing/tfjs_core/run.mjs']);
check('bench', process.execPath, [...cli, 'bench', '--backends', 'cuda']);
if (hasProgram('npx')) check('tests of the backend', 'npx', ['tap', 'run', '--reporter=base', 'gpu/cuda']);
if (hasProgram('compute-sanitizer')) {
  for (const tool of ['memcheck', 'racecheck']) {
    const sanitizer = ['--tool', tool, '--error-exitcode', '1', process.execPath];
    check(tool, 'compute-sanitizer', [...sanitizer, ...conformance]);
  }
} else console.log('\nskipped: memcheck and racecheck, compute-sanitizer is not installed');
process.exitCode = failed ? 1 : 0;
