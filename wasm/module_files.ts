/**
 * The .wasm files of this folder: where they are, and how their bytes come here. Bundlers see the literal `new URL`s
 * and take the files along.
 */

/** Names of the files: each for a plain and for a shared (threaded) memory. */
export type WasmFileName =
  | 'kernels.wasm'
  | 'kernels-threaded.wasm'
  | 'boruvka.wasm'
  | 'boruvka-threaded.wasm';

const besideThisFile: Readonly<Record<WasmFileName, URL>> = {
  'kernels.wasm': new URL('./kernels.wasm', import.meta.url),
  'kernels-threaded.wasm': new URL('./kernels-threaded.wasm', import.meta.url),
  'boruvka.wasm': new URL('./boruvka.wasm', import.meta.url),
  'boruvka-threaded.wasm': new URL('./boruvka-threaded.wasm', import.meta.url),
};

const compiled = new Map<WasmFileName, WebAssembly.Module>();
let located: (name: WasmFileName) => string | URL = (name) => besideThisFile[name];

/**
 * Says where the .wasm files are when they cannot be found beside this module. Call it before the first op runs and
 * before `ready()`.
 *
 * @param prefixOrFileMap a folder, ending in `/`; or the path or URL of every file, by name.
 * @throws {Error} when a map has no entry for one of the files.
 */
export function setWasmPaths(prefixOrFileMap: string | Readonly<Record<WasmFileName, string>>): void {
  if (typeof prefixOrFileMap === 'string') {
    located = (name) => prefixOrFileMap + name;
  } else {
    const missing = Object.keys(besideThisFile).filter((name) => !prefixOrFileMap[name as WasmFileName]);
    if (missing.length > 0) throw new Error(`setWasmPaths: no entry for ${missing.join(', ')}`);
    located = (name) => prefixOrFileMap[name];
  }
  compiled.clear();
}

/** The compiled module of a file that {@link loadModule} has loaded before, or that can be read at once (Node). */
export function moduleNow(name: WasmFileName): WebAssembly.Module {
  const known = compiled.get(name);
  if (known) return known;
  const path = localPath(located(name));
  const files = path === undefined ? undefined : process.getBuiltinModule?.('node:fs');
  if (!files)
    throw new Error(
      `tfjs-grootvl/wasm: ${name} is not loaded yet; \`await ready()\` of tfjs-grootvl/wasm first`,
    );
  const module = new WebAssembly.Module(files.readFileSync(path as string | URL));
  compiled.set(name, module);
  return module;
}

/** Loads and compiles a file. @throws {Error} when it cannot be found or this engine has no WebAssembly SIMD. */
export async function loadModule(name: WasmFileName): Promise<void> {
  if (compiled.has(name)) return;
  const location = located(name);
  const bytes = await readBytes(location).catch((cause: unknown) => {
    throw new Error(`tfjs-grootvl/wasm: cannot load ${location}; setWasmPaths() says where the files are`, {
      cause,
    });
  });
  compiled.set(name, await WebAssembly.compile(bytes));
}

async function readBytes(location: string | URL): Promise<BufferSource> {
  const path = localPath(location);
  if (path !== undefined) {
    const fileSystem = 'node:fs/promises'; // in a variable, so that bundlers for browsers do not look for it
    const { readFile } = (await import(/* @vite-ignore */ /* webpackIgnore: true */ fileSystem)) as {
      readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
    };
    return readFile(path);
  }
  const response = await fetch(location, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

/** What Node's file functions take, or undefined where the file must be fetched. */
function localPath(location: string | URL): string | URL | undefined {
  if (typeof process === 'undefined' || !process.versions?.node) return undefined;
  if (location instanceof URL) return location.protocol === 'file:' ? location : undefined;
  if (location.startsWith('file:')) return new URL(location);
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(location) ? undefined : location;
}
