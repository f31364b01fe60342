/**
 * Builds the WebAssembly modules of wasm/: the C++ kernels as an Emscripten side module, and float32 products a second time for
 * relaxed SIMD; graph algorithms, and integer products with and without relaxed SIMD, in AssemblyScript. They are written beside
 * their sources and to dist/wasm/, as files and as text in a module (embed_wasm.mjs). For a memory shared by threads they are
 * modified when they are loaded.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withRelaxedSimd } from './relaxed_simd.mjs';
import { ensureProgram, ROOT } from './setup.mjs';

const sources = join(ROOT, 'wasm');
const asc = join(ROOT, 'node_modules', 'assemblyscript', 'bin', 'asc.js');

const EMCC_FLAGS = [
  '-O3',
  '-msimd128',
  '-mbulk-memory',
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-fvisibility=hidden',
  '-ffp-contract=off', // so that weights, and thus trees, are the same on every backend
  '-Wall',
  '-Wextra',
];
const ASC_FLAGS = [
  ...['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--initialMemory', '1'],
  ...['--disableWarning', '112'], // vectors exchanged between modules: no function that is exported to JavaScript takes one
];

const emscripten = ensureProgram(
  'emcc',
  'emscripten',
  'the kernels of wasm/ in C++ are not built; install Emscripten (emsdk, or `apt install emscripten`)',
);
const files = readdirSync(sources);
const cxx = files.filter((file) => file.endsWith('.cc'));
const headers = files.filter((file) => file.endsWith('.h'));
/** Products of float32. Their gradients, and everything else, are the same with and without relaxed SIMD. */
const RELAXED = ['linear', 'convolution', 'selective_discretize', 'transposed_convolution', 'winograd'];
const relaxedSources = RELAXED.map((name) => `${name}.cc`);
const QUANTIZED = 'quantized_product.as.ts';
const quantizedParts = files.filter((file) => file.startsWith('quantized_') && file.endsWith('.as.ts'));

function isStale(output, inputs) {
  const target = join(sources, output);
  if (!existsSync(target)) return true;
  const built = statSync(target).mtimeMs;
  const script = fileURLToPath(import.meta.url);
  return [script, ...inputs.map((file) => join(sources, file))].some(
    (file) => statSync(file).mtimeMs > built,
  );
}

async function buildKernels(output) {
  if (!isStale(output, [...cxx, ...headers])) return;
  if (!emscripten) return;
  // Every function marked EXPORT in the sources: side modules keep only listed functions.
  const listed = execFileSync('grep', ['-ohE', '^EXPORT [^(]*\\(', ...cxx], {
    cwd: sources,
    encoding: 'utf8',
  });
  await runEmcc(
    cxx,
    [...listed.matchAll(/(\w+)\($/gm)].map(([, name]) => name),
    output,
  );
  checkImports(output);
}

/** Functions that replace those of the kernels if relaxed SIMD is used. */
async function buildRelaxed(output) {
  if (!isStale(output, ['../scripts/relaxed_simd.mjs', ...relaxedSources, ...headers])) return;
  if (!emscripten) return;
  const draft = `${output}.draft`;
  const flags = ['-DRELAXED_SIMD', '-sERROR_ON_UNDEFINED_SYMBOLS=0'];
  await runEmcc(relaxedSources, [...RELAXED, 'linear_streaming'], draft, flags);
  checkImports(draft, ['relaxed_madd', 'has_tall_tiles']);
  const bytes = readFileSync(join(sources, draft));
  rmSync(join(sources, draft));
  writeFileSync(join(sources, output), withRelaxedSimd(bytes));
}

function runEmcc(from, functions, output, flags = []) {
  const exported = functions.map((name) => `_${name}`).join(',');
  return run('emcc', [
    ...EMCC_FLAGS,
    ...flags,
    '-sSIDE_MODULE=2',
    `-sEXPORTED_FUNCTIONS=${exported}`,
    ...from,
    '-o',
    output,
  ]);
}

/** A function that is not static, or from the C library, would become an import that nothing provides. */
function checkImports(output, allowed = []) {
  const module = new WebAssembly.Module(readFileSync(join(sources, output)));
  const missing = WebAssembly.Module.imports(module).filter(
    ({ kind, name }) => kind === 'function' && !allowed.includes(name),
  );
  if (missing.length === 0) return;
  console.error(
    `build_wasm: ${output} imports ${missing.map(({ name }) => name).join(', ')}; make them static or inline`,
  );
  rmSync(join(sources, output));
  process.exit(1);
}

async function buildAssemblyScript(source, output, features, parts = []) {
  if (!isStale(output, [source, ...parts])) return;
  const flags = features.flatMap((feature) => ['--enable', feature]);
  await run(process.execPath, [asc, source, ...ASC_FLAGS, ...flags, '-o', output]);
}

function run(command, args) {
  const fail = (why) => {
    console.error(`build_wasm: ${command} failed${why}`);
    process.exit(1);
  };
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: sources, stdio: 'inherit' });
    child.on('error', (error) => fail(`: ${error.message}`));
    child.on('close', (status) => (status === 0 ? resolve() : fail('')));
  });
}

await Promise.all([
  buildKernels('kernels.wasm'),
  buildRelaxed('kernels_relaxed.wasm'),
  buildAssemblyScript('boruvka.as.ts', 'boruvka.wasm', []),
  buildAssemblyScript(QUANTIZED, 'quantized.wasm', ['simd'], quantizedParts),
  buildAssemblyScript(QUANTIZED, 'quantized_relaxed.wasm', ['simd', 'relaxed-simd'], quantizedParts),
]);

await import('./embed_wasm.mjs');
