/**
 * Builds the native addons of gpu/cuda/backend/addon, with the kernels of the backend and ours, into gpu/cuda/build: the one for
 * GPUs, if there is a CUDA toolkit, and the emulation for tests; with `--races` also the emulation that detects races between
 * threads. Only the first is part of the package, as dist/gpu/cuda/.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureProgram, ROOT } from './setup.mjs';

const cuda = join(ROOT, 'gpu', 'cuda');
const sources = join(cuda, 'backend', 'addon');
/** Folders with .cu files. */
const kernels = [join(cuda, 'backend', 'kernels'), cuda];
const build = join(cuda, 'build');
const dist = join(ROOT, 'dist', 'gpu', 'cuda');

const SHIPPED = 'grootvl_cuda.node';
const EMULATED = 'grootvl_cuda_emulated.node';
const RACES = 'grootvl_cuda_races.node';

const OLDEST_TOOLKIT = 12;

/**
 * GPU generations that the addon is compiled for. Compiling for all of them takes minutes: GROOTVL_CUDA_GENERATIONS=90, or
 * 90-virtual for PTX only, is for checks on a machine without a GPU. A file beside the addon records what was compiled last.
 */
const ALL_GENERATIONS = '75;80;86;89;90;100;120';
const compiledFor = join(build, 'generations.txt');

/** The major version of the CUDA toolkit, found in the same places as by cuda/fatbins.cmake; undefined if there is none. */
function toolkitVersion() {
  const homes = [process.env.CUDA_PATH, process.env.CUDA_HOME, '/usr/local/cuda'].filter(Boolean);
  for (const nvcc of ['nvcc', ...homes.map((home) => join(home, 'bin', 'nvcc'))]) {
    const { stdout } = spawnSync(nvcc, ['--version'], { encoding: 'utf8' });
    const release = /release (\d+)/.exec(stdout ?? '');
    if (release) return Number(release[1]);
  }
  return undefined;
}

/** Modification times of the sources of the addons. */
function sourceTimes(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (path === build) return [];
    if (entry.isDirectory()) return sourceTimes(path);
    return /\.(cc|cu|h|cmake|txt)$/.test(entry.name) ? [statSync(path).mtimeMs] : [];
  });
}

function isStale(addons) {
  // The modification time of a folder changes when a file is added or removed.
  const others = [sources, ...kernels, fileURLToPath(import.meta.url)];
  const changed = Math.max(...sourceTimes(cuda), ...others.map((path) => statSync(path).mtimeMs));
  return addons.some((addon) => {
    const path = join(build, addon);
    return !existsSync(path) || statSync(path).mtimeMs < changed;
  });
}

/** @returns whether everything needed to compile C++ is installed */
function ensureCompiler() {
  const elsewhere = 'the CUDA backend and its emulation are not built; install CMake 3.20, make and g++';
  return (
    ensureProgram('cmake', 'cmake', elsewhere) &&
    ensureProgram('make', 'make', elsewhere) &&
    ensureProgram('g++', 'g++', elsewhere)
  );
}

function cmake(args) {
  const { status, error, stdout } = spawnSync('cmake', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!error && status === 0) return;
  console.error(`${stdout ?? ''}build_cuda: cmake failed${error ? `: ${error.message}` : ''}`);
  process.exit(1);
}

/** Removes a CMake cache of another source folder, which CMake refuses, after a checkout was moved. */
function forgetOtherSources() {
  const cache = join(build, 'CMakeCache.txt');
  if (
    existsSync(cache) &&
    !readFileSync(cache, 'utf8').includes(`CMAKE_HOME_DIRECTORY:INTERNAL=${sources}\n`)
  ) {
    rmSync(cache);
  }
}

/** Builds what is out of date, and copies what is part of the package. */
export function buildCuda({ races = false } = {}) {
  const version = toolkitVersion();
  const toolkit = version !== undefined && version >= OLDEST_TOOLKIT;
  if (!toolkit) {
    const found = version === undefined ? 'nvcc is missing' : `nvcc is of CUDA ${version}`;
    console.log(`${found}: the CUDA backend is not built; install a CUDA toolkit 12 or 13`);
  }
  const addons = [EMULATED, ...(toolkit ? [SHIPPED] : []), ...(races ? [RACES] : [])];
  const { GROOTVL_CUDA_GENERATIONS: wished = ALL_GENERATIONS } = process.env;
  const last = existsSync(compiledFor) ? readFileSync(compiledFor, 'utf8') : undefined;
  const lacks = toolkit && last !== ALL_GENERATIONS && last !== wished;
  if (lacks || isStale(addons)) {
    if (!ensureCompiler()) return;
    const some = toolkit && wished !== ALL_GENERATIONS ? `, for GPUs ${wished} only` : '';
    console.log(`compiling ${addons.join(', ')}${some}`);
    forgetOtherSources();
    const generations = `-DGENERATIONS=${wished}`;
    cmake(['-S', sources, '-B', build, `-DKERNEL_FOLDERS=${kernels.join(';')}`, generations]);
    const targets = addons.map((addon) => addon.replace('.node', ''));
    cmake(['--build', build, '--parallel', String(availableParallelism()), '--target', ...targets]);
    // Even if no byte changed, as it would otherwise be out of date for ever.
    for (const addon of addons) cmake(['-E', 'touch', join(build, addon)]);
    if (toolkit) writeFileSync(compiledFor, wished);
  }
  if (!toolkit) return;
  mkdirSync(dist, { recursive: true });
  copyFileSync(join(build, SHIPPED), join(dist, SHIPPED));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { races: { type: 'boolean' } } });
  buildCuda(values);
}
