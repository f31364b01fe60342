/**
 * `npm run test:cuda`: everything that needs a GPU, on the GPU of this machine: the tests of the driver interface and the
 * backend, the conformance suite, tfjs-core's own specs, and the benchmark; with compute-sanitizer's memcheck and racecheck if it
 * is installed. Runs the output of `npm run build` with node only: neither npm nor a compiler is needed. `--out FILE` also writes
 * outcomes and figures as JSON, after every part; `--only NAME,...` runs some parts.
 */
import { benchPart, CLI, describeDevice, runParts, testsPart } from './device_parts.mjs';
import { hasProgram } from './setup.mjs';

const env = { ...process.env, GROOTVL_CUDA: 'device' };
const SPECS = 'gpu/cuda/backend/testing/tfjs_core/run.mjs';
const conformance = [process.execPath, CLI, 'conformance', '--backends', 'cuda', '--require'];

/** @returns a part that runs under compute-sanitizer */
function sanitizer(tool) {
  // The addon checks errors of calls, and causes some: it looks for a kernel in one module after another.
  const options = ['--tool', tool, '--report-api-errors', 'no', '--error-exitcode', '1'];
  return {
    command: ['compute-sanitizer', ...options, ...conformance],
    missing: () => !hasProgram('compute-sanitizer') && 'compute-sanitizer is not installed',
  };
}

/** The slowest ones come last. */
const PARTS = {
  bench: benchPart('cuda'),
  conformance: { command: conformance },
  specs: { command: [process.execPath, SPECS] },
  tests: testsPart('gpu/cuda'),
  memcheck: sanitizer('memcheck'),
  racecheck: sanitizer('racecheck'),
};

const DESCRIBE = `
  const { ready, deviceDescription } = await import('./dist/gpu/cuda/index.js');
  await ready();
  console.log(JSON.stringify(deviceDescription()));`;

const open = () => ({
  env,
  device: describeDevice(DESCRIBE, env, (stderr) => /CudaUnavailableError: (.*)/.exec(stderr)?.[1]),
});
runParts(PARTS, open, ({ name, driverVersion }) => `${name}, CUDA ${driverVersion}`);
