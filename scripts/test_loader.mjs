/**
 * Runs before each test file. Under `npm test` the file has been compiled (transpile.mjs); otherwise a .test.ts is compiled when
 * it is loaded, and uses the existing .wasm files.
 */
import asyncHooks from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { Same } from 'tcompare';

/**
 * V8 optimises a function once so many bytes of its code have run, by default 135,168, in threads beside the test: a quarter of
 * all CPU time. Most of what a test runs is not worth it. Loops over numbers are optimised all the same.
 */
setFlagsFromString('--interrupt-budget=500000');

if (!process.env.GROOTVL_TRANSPILED) {
  await import('tsx');
  await import('./embed_wasm.mjs');
}

/**
 * tap follows every promise to find the test to which an error belongs that nothing catches, which takes a twentieth of the time
 * of all tests. Without it such an error ends the process, as in any program, and the file fails with its stack.
 */
const { createHook } = asyncHooks;
asyncHooks.createHook = (callbacks) => {
  const hook = createHook(callbacks);
  if (new Error().stack?.includes('/async-hook-domain/')) hook.enable = () => hook;
  return hook;
};
syncBuiltinESMExports();

/** Before it knows whether two values are the same, tap writes both out, element by element, which takes seconds for arrays. */
const { print } = Same.prototype;
Same.prototype.print = function () {
  const isSame = !this.parent && this.match && this.constructor === Same;
  return isSame && isDeepStrictEqual(this.object, this.expect) ? '' : print.call(this);
};
