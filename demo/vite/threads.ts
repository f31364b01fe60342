/** tfjs's threads in a minified build. */
import type { Plugin } from 'vite';

/**
 * tfjs starts its threads with the source text of a function, which tests with `typeof` for a variable beside it. A
 * minifier drops the test, and the threads fail: here the function has the variable itself.
 */
export const selfContainedThreads: Plugin = {
  name: 'self-contained-threads',
  transform: {
    filter: { id: /tfjs-backend-wasm-threaded-simd\.js$/ },
    handler: (code) => code.replace(/\nfunction\(WasmBackendModuleThreadedSimd\) \{/, '$& var _scriptDir;'),
  },
};
