/**
 * Our WebAssembly modules and the sources of their bytes: they are part of this package's JavaScript (embedded.js), so that
 * bundlers, servers and policies need not handle them; or they are files, if setWasmPaths() was called.
 */
import { type Bytes, PREAMBLE, withSharedMemory } from './binary_format.js';
import { EMBEDDED } from './embedded.js';

const FILE_NAMES = [
  ...(['kernels.wasm', 'kernels_relaxed.wasm', 'boruvka.wasm'] as const),
  ...(['quantized.wasm', 'quantized_relaxed.wasm'] as const),
] as const;

/** File names: the C++ kernels, the graph algorithms, integer products, and their variants for relaxed SIMD. */
export type WasmFileName = (typeof FILE_NAMES)[number];

const PACKAGE = 'tfjs-grootvl/wasm';
const REMEDY =
  `setWasmPaths() of ${PACKAGE} says where the files are (they are ${PACKAGE}/<name>.wasm in this package); without it ` +
  'the kernels come with the JavaScript';

/** For a single-threaded memory, and for a shared one. */
const compiled = {
  plain: new Map<WasmFileName, WebAssembly.Module>(),
  shared: new Map<WasmFileName, WebAssembly.Module>(),
};
/** One of the two. */
export type MemoryKind = keyof typeof compiled;

let located: ((name: WasmFileName) => string | URL) | undefined;

/**
 * Loads the kernels from files instead of from this package's JavaScript, for pages that want to cache or compile the bytes
 * separately. Call it before the first op runs and before `ready()`, and await `ready()`.
 *
 * @param prefixOrFileMap a folder, ending in `/`; or the path or URL of every file, by name.
 * @throws {Error} if it is neither, or a map has no entry for one of the files.
 */
export function setWasmPaths(prefixOrFileMap: string | Readonly<Record<WasmFileName, string | URL>>): void {
  if (typeof prefixOrFileMap === 'string') {
    located = (name) => prefixOrFileMap + name;
  } else if (typeof prefixOrFileMap !== 'object' || prefixOrFileMap === null) {
    throw new Error(
      `setWasmPaths: got ${String(prefixOrFileMap)}, expected a folder or an object of ${FILE_NAMES.join(', ')}`,
    );
  } else {
    const missing = FILE_NAMES.filter((name) => !prefixOrFileMap[name]);
    if (missing.length > 0) throw new Error(`setWasmPaths: no entry for ${missing.join(', ')}`);
    located = (name) => prefixOrFileMap[name];
  }
  for (const modules of Object.values(compiled)) modules.clear();
}

/**
 * Returns the compiled module of a file whose bytes are available: loaded by {@link loadModule}, part of the JavaScript, or
 * on disk.
 * @throws {Error} if it must be fetched first, or cannot be compiled.
 */
export function moduleNow(name: WasmFileName, memory: MemoryKind): WebAssembly.Module {
  const known = compiled[memory].get(name);
  if (known) return known;
  const bytes = bytesNow(name);
  if (!bytes) throw new Error(`${PACKAGE}: ${name} is not loaded yet; \`await ready()\` of ${PACKAGE} first`);
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(forMemory(bytes, memory));
  } catch (cause) {
    // On the main thread of a page, some engines compile only a few kilobytes synchronously.
    if (cause instanceof RangeError) {
      throw new Error(`${PACKAGE}: \`await ready()\` of ${PACKAGE} first: ${cause.message}`, { cause });
    }
    throw compileError(name, cause);
  }
  compiled[memory].set(name, module);
  return module;
}

/**
 * Loads and compiles a file.
 * @throws {Error} that says what was received instead, or why it cannot be compiled.
 */
export async function loadModule(name: WasmFileName, memory: MemoryKind): Promise<void> {
  if (compiled[memory].has(name)) return;
  const bytes = bytesNow(name) ?? (await fetchBytes(name, located?.(name) as string | URL));
  try {
    compiled[memory].set(name, await WebAssembly.compile(forMemory(bytes, memory)));
  } catch (cause) {
    throw compileError(name, cause);
  }
}

/** Returns why no module can be compiled in this environment, as one clause; undefined if an empty one can. */
export function whyNothingCompiles(): string | undefined {
  if (typeof WebAssembly === 'undefined') return 'there is no WebAssembly in this engine';
  try {
    new WebAssembly.Module(PREAMBLE);
    return undefined;
  } catch (error) {
    return `the page's Content-Security-Policy does not allow WebAssembly (add 'wasm-unsafe-eval' to script-src): ${reasonOf(error)}`;
  }
}

export function reasonOf(error: unknown): string {
  return String((error as Error | undefined)?.message ?? error).split('\n')[0];
}

function compileError(name: WasmFileName, cause: unknown): Error {
  const reason =
    whyNothingCompiles() ??
    `${reasonOf(cause)} (WebAssembly SIMD is needed: Chrome 91, Firefox 89, Safari 16.4, Node 16.4 or later)`;
  return new Error(`${PACKAGE}: cannot compile ${name}: ${reason}`, { cause });
}

function forMemory(bytes: Bytes, memory: MemoryKind): Bytes {
  return memory === 'shared' ? withSharedMemory(bytes) : bytes;
}

/** Returns the bytes that need not be fetched; undefined for those that must. */
function bytesNow(name: WasmFileName): Bytes | undefined {
  if (!located) {
    const text = EMBEDDED[name];
    if (text === undefined) throw new Error(`${PACKAGE}: ${name} is not built; npm run build says why`);
    return decodeBase64(text);
  }
  const location = located(name);
  // Bundlers create such URLs for small files, and policies may forbid fetching them.
  const inline = /^data:[^,]*;base64,(.*)$/is.exec(String(location));
  if (inline) return checkedBytes(decodeBase64(inline[1]), name, 'a data: URL');
  const path = localPath(location);
  if (path === undefined) return undefined;
  let bytes: Bytes;
  try {
    bytes = process.getBuiltinModule('node:fs').readFileSync(path);
  } catch (cause) {
    throw new Error(`${PACKAGE}: cannot read "${location}": ${reasonOf(cause)}; ${REMEDY}`, { cause });
  }
  return checkedBytes(bytes, name, String(location));
}

async function fetchBytes(name: WasmFileName, location: string | URL): Promise<Bytes> {
  let response: Response;
  let bytes: Bytes;
  try {
    response = await fetch(location);
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw new Error(`${PACKAGE}: cannot fetch "${location}": ${reasonOf(cause)}; ${REMEDY}`, { cause });
  }
  const type = response.headers.get('content-type') ?? 'no content type';
  return checkedBytes(bytes, name, `${location} (${response.status} ${type})`, response.ok);
}

/** @throws {Error} that shows the first bytes, unless they are a WebAssembly module. */
function checkedBytes(bytes: Bytes, name: WasmFileName, origin: string, isOk = true): Bytes {
  if (isOk && PREAMBLE.every((byte, i) => bytes[i] === byte)) return bytes;
  const start = new TextDecoder().decode(bytes.subarray(0, 60));
  throw new Error(
    `${PACKAGE}: expected ${name}, got ${bytes.length} bytes from ${origin} that begin with ${JSON.stringify(start)}; ${REMEDY}`,
  );
}

function decodeBase64(text: string): Bytes {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i); // Uint8Array.from takes several times as long
  return bytes;
}

/** Returns a location for Node's file functions, or undefined if the file must be fetched. */
function localPath(location: string | URL): string | URL | undefined {
  if (typeof process === 'undefined' || !process.versions?.node || !process.getBuiltinModule)
    return undefined;
  if (location instanceof URL) return location.protocol === 'file:' ? location : undefined;
  if (location.startsWith('file:')) return new URL(location);
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(location) ? undefined : location;
}
