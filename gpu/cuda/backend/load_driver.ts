/** Finds the native addon, and opens a device with it. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Device, Driver, DriverErrorCode } from './driver.js';
import { CudaUnavailableError } from './errors.js';

const require = createRequire(import.meta.url);

/**
 * `GROOTVL_CUDA=emulation` runs the kernels on the host, thread by thread: for tests without a GPU. `GROOTVL_CUDA=races`
 * also throws an error if threads of a kernel race.
 */
const EMULATION_VARIABLE = 'GROOTVL_CUDA';

/** The addons that run the kernels on the host, and the commands that build them in a checkout. */
const EMULATIONS: ReadonlyMap<string | undefined, { file: string; builtBy: string }> = new Map([
  ['emulation', { file: 'grootvl_cuda_emulated.node', builtBy: 'npm run build' }],
  ['races', { file: 'grootvl_cuda_races.node', builtBy: 'node scripts/build_cuda.mjs --races' }],
]);

/** Locations of the addon relative to this module: in the package; in a checkout, for its sources and for its dist/. */
const FOLDERS = ['../', '../build/', '../../../../gpu/cuda/build/'];

const REMEDIES: Readonly<Record<DriverErrorCode, string>> = {
  NO_DRIVER: 'install the NVIDIA driver, or use the backend wasm',
  OLD_DRIVER: 'update the NVIDIA driver, or use the backend wasm',
  NO_DEVICE: 'nvidia-smi lists the GPUs that the driver sees; CUDA_VISIBLE_DEVICES may hide some',
  OLD_DEVICE: 'a GPU of compute capability 7.5 (Turing, 2018) or later is needed; use the backend wasm',
  DRIVER_FAILED: 'nvidia-smi may say more',
};

/**
 * Opens a device.
 * @param ordinal which GPU, numbered from 0 as in CUDA
 * @throws {CudaUnavailableError} that says what is missing and how to fix it.
 */
export function openDevice(ordinal: number): Device {
  try {
    return loadDriver().open(ordinal);
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    if (code === undefined || !(code in REMEDIES)) throw error;
    const known = code as DriverErrorCode;
    throw new CudaUnavailableError(known, `cuda: ${message}; ${REMEDIES[known]}`);
  }
}

/** The addon may be for another system: an older C library, another processor. */
function load(path: string): Driver {
  try {
    return require(path) as Driver;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new CudaUnavailableError(
      'NOT_BUILT',
      `cuda: the addon does not load here: ${reason}; npm run build in a checkout makes one for this machine`,
    );
  }
}

function loadDriver(): Driver {
  const emulation = EMULATIONS.get(process.env[EMULATION_VARIABLE]);
  const file = emulation?.file ?? 'grootvl_cuda.node';
  for (const folder of FOLDERS) {
    const path = fileURLToPath(new URL(`${folder}${file}`, import.meta.url));
    if (existsSync(path)) return load(path);
  }
  throw new CudaUnavailableError(
    'NOT_BUILT',
    emulation
      ? `cuda: ${file} is not built; ${emulation.builtBy} makes it in a checkout, with CMake and a C++ compiler`
      : `cuda: ${file} is not there for ${process.platform} ${process.arch}; npm run build makes it in a checkout, ` +
          'with a CUDA toolkit 12 or 13, CMake and a C++ compiler',
  );
}
