/**
 * Runs before each test file. `npm test` has compiled them (transpile.mjs); by itself a .test.ts is compiled when it is
 * loaded, and takes the .wasm files as they are.
 */
if (!process.env.GROOTVL_TRANSPILED) {
  await import('tsx');
  await import('./embed_wasm.mjs');
}
