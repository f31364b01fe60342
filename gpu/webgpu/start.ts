/** Starts the backend `webgpu`, in pages and in Node, on a device with the features that our kernels use. */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import {
  engine,
  env,
  findBackendFactory,
  type KernelBackend,
  registerBackend,
  removeBackend,
  setBackend,
} from '@tensorflow/tfjs-core';
import { watchDevice } from './device.js';
import { WebgpuUnavailableError } from './errors.js';
import { FLOAT16_WEIGHTS_FLAG } from './runner.js';

export const BACKEND = 'webgpu';

/** Options of {@link startWebgpu}. */
export interface WebgpuOptions {
  /** Which GPU to use if there are several: `high-performance` by default. */
  readonly powerPreference?: GPUPowerPreference;
  /**
   * Required features of the device, such as `shader-f16`: an error if the adapter lacks one. By default those of
   * `shader-f16`, `subgroups` and `timestamp-query` that the adapter has.
   */
  readonly features?: readonly string[];
  /**
   * Whether layers keep a second copy of their weights as float16, with an 11-bit significand, and read it: half the bytes
   * per prediction. Not used while gradients are recorded. Default false.
   */
  readonly float16Weights?: boolean;
  /** Node: options of Dawn, such as `backend=vulkan` or `adapter=NVIDIA`, for the package `webgpu`. */
  readonly dawn?: readonly string[];
}

/** The adapter that the backend runs on. */
export interface AdapterDescription {
  /** As reported by the driver or the browser; browsers report little. */
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  /** Whether it is emulated on a CPU: its timings say nothing about a GPU. */
  readonly isFallback: boolean;
}

/** tfjs's own priority of this backend. */
const PRIORITY = 3;
const FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'];
const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const satisfies readonly (keyof GPUSupportedLimits)[];
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i;

const descriptions = new WeakMap<KernelBackend, AdapterDescription>();
let options: WebgpuOptions = {};
let running: Promise<WebGPUBackend> | undefined;
/** The backend that `running` resolved to. */
let current: WebGPUBackend | undefined;

/**
 * Registers the backend with tfjs, replacing the one that tfjs's package registers in pages, unless one is already running.
 */
export function registerWebgpu(): void {
  const { registry, registryFactory } = engine();
  if (registry[BACKEND] || registryFactory[BACKEND]?.factory === start) return;
  // removeBackend would forget that a caller has chosen this backend.
  delete registryFactory[BACKEND];
  registerBackend(BACKEND, start, PRIORITY);
}

/**
 * Resolves when the backend `webgpu` can be used, that is, a device is available. It may be called before or after
 * `tf.setBackend('webgpu')`, which chooses it.
 * @throws {WebgpuUnavailableError} that names cause and remedy, if there is no GPU to run on.
 */
export async function ready(): Promise<void> {
  const started = engine().registry[BACKEND];
  if (started) return watchDevice(started as WebGPUBackend); // it may be tfjs's own
  registerWebgpu();
  await start();
}

/**
 * Starts the backend `webgpu` on a device of its own and makes it the current one. One that is already running, or was lost,
 * is replaced and its contents are lost: load models again.
 * @throws {WebgpuUnavailableError} that names cause and remedy; the previous backend then keeps running.
 */
export async function startWebgpu(chosen: WebgpuOptions = {}): Promise<AdapterDescription> {
  const backend = await makeBackend(chosen);
  if (findBackendFactory(BACKEND)) removeBackend(BACKEND);
  options = chosen;
  env().set(FLOAT16_WEIGHTS_FLAG, chosen.float16Weights === true);
  running = Promise.resolve(backend);
  current = backend;
  registerWebgpu();
  if (!(await setBackend(BACKEND)))
    throw new WebgpuUnavailableError('NO_DEVICE', 'tfjs did not start the backend');
  return adapterDescription();
}

/**
 * Returns the adapter of the running backend.
 * @throws {Error} if none is running.
 */
export function adapterDescription(): AdapterDescription {
  const backend = engine().registry[BACKEND] as WebGPUBackend | undefined;
  if (!backend)
    throw new Error("webgpu: no backend runs; await startWebgpu() or tf.setBackend('webgpu') first");
  return descriptions.get(backend) ?? describe(backend.adapterInfo as object as Info);
}

function start(): Promise<WebGPUBackend> {
  if (!running) {
    running = makeBackend(options);
    running.then(
      (backend) => {
        current = backend;
      },
      () => {
        running = undefined; // another call tries again
      },
    );
  }
  return running;
}

async function makeBackend(chosen: WebgpuOptions): Promise<WebGPUBackend> {
  const { powerPreference = 'high-performance' } = chosen;
  const gpu = await findGpu(chosen);
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    for (const [options, instance] of instances) if (instance === gpu) instances.delete(options);
    throw new WebgpuUnavailableError('NO_ADAPTER', `no adapter was found; ${adapterRemedy()}`);
  }
  const { info } = adapter as { info?: Info };
  const description = describe(info, adapter);
  const device = await requestDevice(adapter, description.name, chosen.features);
  const backend = withGpu(gpu, () => new WebGPUBackend(device, info));
  descriptions.set(backend, description);
  watchDevice(backend);
  const dispose = backend.dispose.bind(backend);
  backend.dispose = () => {
    dispose();
    device.destroy();
    if (current === backend) running = undefined; // immediately, because tfjs may request another
  };
  return backend;
}

async function requestDevice(
  adapter: GPUAdapter,
  name: string,
  features?: readonly string[],
): Promise<GPUDevice> {
  const has = (feature: string) => (adapter.features as ReadonlySet<string>).has(feature);
  const missing = features?.filter((feature) => !has(feature)) ?? [];
  if (missing.length > 0) {
    throw new WebgpuUnavailableError('NO_DEVICE', `the adapter ${name} has no ${missing.join(', ')}`);
  }
  const requiredFeatures = (features ?? FEATURES.filter(has)) as GPUFeatureName[];
  const requiredLimits = Object.fromEntries(LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  try {
    return await adapter.requestDevice({ requiredFeatures, requiredLimits });
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new WebgpuUnavailableError('NO_DEVICE', `the adapter ${name} gives no device: ${reason}`, {
      cause,
    });
  }
}

/** Newer browsers report a fallback in the adapter's information, older ones in the adapter; tfjs's types are older. */
type Fallback = { readonly isFallbackAdapter?: boolean };
type Info = GPUAdapterInfo & Fallback;

function describe(info: Partial<Info> = {}, adapter: Fallback = {}): AdapterDescription {
  const { vendor = '', architecture = '', device = '', description = '' } = info;
  const known = [vendor, architecture, description || device].filter(Boolean).join(' ');
  const isFallback = info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return { name: known || 'unnamed', vendor, architecture, isFallback: isFallback || SOFTWARE.test(known) };
}

/** Returns the page's GPU; in Node, one of the package `webgpu`. */
async function findGpu({ dawn }: WebgpuOptions): Promise<GPU> {
  const own = typeof navigator === 'undefined' ? undefined : navigator.gpu;
  if (own && !dawn) return own;
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  if (process?.versions?.node && typeof document === 'undefined') return gpuOfNode(dawn ?? []);
  const insecure = globalThis.isSecureContext === false;
  throw new WebgpuUnavailableError(
    'NO_WEBGPU',
    insecure
      ? `pages have WebGPU on secure origins alone (https, or http on localhost), and this one is ${location.origin}; serve it ` +
          "from one, or use tf.setBackend('webgl') or 'wasm'"
      : "this browser has no WebGPU (navigator.gpu); use tf.setBackend('webgl') or 'wasm'",
  );
}

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** By their options. Dawn terminates the process if one is garbage collected while it has devices. */
const instances = new Map<string, GPU>();

async function gpuOfNode(dawn: readonly string[]): Promise<GPU> {
  const { create, globals } = await importDawn('webgpu');
  // GPUBufferUsage and similar globals, which tfjs reads from there.
  for (const [name, value] of Object.entries(globals))
    (globalThis as Record<string, unknown>)[name] ??= value;
  const known = instances.get(dawn.join()) ?? create([...dawn]);
  instances.set(dawn.join(), known);
  return known;
}

/** The name is an argument so that bundlers, which may not find the package, do not resolve it. */
async function importDawn(name: string): Promise<Dawn> {
  try {
    return await import(/* webpackIgnore: true */ /* @vite-ignore */ name);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
      throw new WebgpuUnavailableError(
        'NOT_INSTALLED',
        "Node has WebGPU by the package 'webgpu', which is not installed: npm install webgpu@^0.6.2",
        { cause },
      );
    }
    const reason = message.split('\n')[0];
    throw new WebgpuUnavailableError(
      'NOT_LOADED',
      `the package 'webgpu' does not load here: ${reason}; use the backend wasm`,
      { cause },
    );
  }
}

/** tfjs reads `navigator.gpu` when a backend is created, which Node lacks; it is removed afterwards. */
function withGpu<T>(gpu: GPU, make: () => T): T {
  const scope = globalThis as { navigator?: object };
  if (typeof navigator !== 'undefined' && navigator.gpu) return make();
  const given = scope.navigator;
  if (!given) Object.defineProperty(scope, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(navigator, 'gpu', { value: gpu, configurable: true });
  try {
    return make();
  } finally {
    if (given) Reflect.deleteProperty(given, 'gpu');
    else Reflect.deleteProperty(scope, 'navigator');
  }
}

function adapterRemedy(): string {
  const { process } = globalThis as { process?: { platform?: string } };
  if (typeof document !== 'undefined' || !process?.platform) {
    return "chrome://gpu or about:support says why; use tf.setBackend('webgl') or 'wasm'";
  }
  if (process.platform !== 'linux') return 'update the driver of the GPU, or use the backend wasm';
  return (
    'on Linux it takes the Vulkan loader and a driver: apt-get install libvulkan1 mesa-vulkan-drivers (Debian, Ubuntu), ' +
    'dnf install vulkan-loader mesa-vulkan-drivers (Fedora), or the driver of NVIDIA; vulkaninfo --summary lists what ' +
    'there is. Or use the backend wasm'
  );
}
