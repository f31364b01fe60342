/** Makes tfjs's threads work in a minified build. */
import type { Plugin } from 'vite';

/**
 * tfjs starts its threads with the source text of a function that tests a variable outside it with `typeof`. A minifier removes
 * the test, and the threads fail: this declares the variable in the function.
 */
export const selfContainedThreads: Plugin = {
  name: 'self-contained-threads',
  transform: {
    filter: { id: /tfjs-backend-wasm-threaded-simd\.js$/ },
    handler: (code) => code.replace(/\nfunction\(WasmBackendModuleThreadedSimd\) \{/, '$& var _scriptDir;'),
  },
};
