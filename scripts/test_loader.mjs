/**
 * Runs before each test file. Under `npm test` the file has been compiled (transpile.mjs); otherwise a .test.ts is compiled when
 * it is loaded, and uses the existing .wasm files.
 */
if (!process.env.GROOTVL_TRANSPILED) {
  await import('tsx');
  await import('./embed_wasm.mjs');
}
