/**
 * `npm run test:tfjs-core`: runs all of tfjs-core's own specs on the backend `cuda`, on a GPU when GROOTVL_CUDA=device,
 * else emulated on the host. Fails when a spec fails, or when fewer than LEAST pass. `npm run test:tfjs-core -- webgpu`
 * runs them on tfjs's backend `webgpu` as this package starts it, in Node: many fail there by tfjs's own kernels, so
 * their number decides. Words after that choose specs by their names.
 */
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../../../../../scripts/setup.mjs';

/** Of 4232 in tfjs-core 4.22. */
const LEAST = 4000;

const [first, ...rest] = process.argv.slice(2);
const backend = first === 'webgpu' ? first : 'cuda';
const only = (first === backend ? rest : process.argv.slice(2)).join(' ');
const { entry, bundle, isComplete } = {
  cuda: {
    entry: join(ROOT, 'gpu/cuda/backend/testing/tfjs_core/specs.ts'),
    bundle: join(ROOT, 'gpu/cuda/build/tfjs_core_specs.mjs'),
    isComplete: true,
  },
  webgpu: {
    entry: join(ROOT, 'gpu/webgpu/testing/tfjs_core_specs.ts'),
    bundle: join(ROOT, 'gpu/cuda/build/tfjs_core_specs_webgpu.mjs'),
    isComplete: false,
  },
}[backend];
process.env.GROOTVL_CUDA ??= 'emulation';
await bundleSpecs().catch((error) => {
  // esbuild's program for this machine may not be there; a bundle that was made elsewhere runs on every machine.
  const couldRun = error.errors !== undefined;
  if (couldRun || !existsSync(bundle)) throw error;
  const [reason] = error.message.split('\n');
  console.log(`the specs are those bundled on ${statSync(bundle).mtime.toISOString()}: ${reason}`);
});

const core = createRequire(import.meta.url)('jasmine-core');
const jasmine = core.boot(core);
const env = jasmine.getEnv();
env.configure({
  random: false,
  specFilter: (spec) => !only || spec.getFullName().includes(only),
});
const counts = { passed: 0, failed: 0, pending: 0, excluded: 0 };
const failures = [];
const pendingSpecs = [];
env.addReporter({
  specDone: ({ status, fullName, failedExpectations }) => {
    counts[status]++;
    if (status === 'pending') pendingSpecs.push(fullName);
    if (status === 'failed')
      failures.push(`${fullName}\n    ${failedExpectations[0].message.split('\n')[0]}`);
  },
});
const warn = console.warn;
console.warn = (first, ...rest) => {
  // Specs provoke warnings on purpose; what this package says is of interest.
  if (String(first).startsWith('tfjs-grootvl')) warn(first, ...rest);
};
await import(pathToFileURL(bundle).href);
await env.execute();

for (const failure of failures) console.log(`failed: ${failure}`);
for (const spec of pendingSpecs) console.log(`pending, by tfjs itself: ${spec}`);
const { passed, failed, pending } = counts;
const device = backend === 'cuda' ? process.env.GROOTVL_CUDA : globalThis.adapterOfSpecs;
console.log(`tfjs-core on ${backend} (${device}): ${passed} passed, ${failed} failed, ${pending} pending`);
process.exitCode = (isComplete && failed > 0) || (!only && passed < LEAST) ? 1 : 0;

async function bundleSpecs() {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    mainFields: ['module', 'main'], // one tfjs-core for the specs, the backends and the gradients
    ignoreAnnotations: true, // the specs look as if they did nothing
    external: ['jasmine', 'jasmine-core', 'playwright-core'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
}
