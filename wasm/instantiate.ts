/** Instantiates our WebAssembly modules in the memory of another module: here, tfjs's. */
import { Cursor } from './binary_format.js';

/** Kernels keep no large arrays on their stack. */
const STACK_BYTES = 65536;

/** Exported functions; each kernel's .ts file declares those that it uses and their parameters. */
export type Exports = WebAssembly.Exports;

/** Our modules, compiled. */
export interface KernelModules {
  /** The kernels in C++: an Emscripten side module. */
  readonly kernels: WebAssembly.Module;
  /** Functions that replace some of these if relaxed SIMD is used. They need neither data nor a stack of their own. */
  readonly relaxed?: { readonly module: WebAssembly.Module; readonly hasTallTiles: boolean };
  /** The graph algorithms, in AssemblyScript without static data: it imports only its memory. */
  readonly graph: WebAssembly.Module;
  /** Integer products: likewise. */
  readonly products: WebAssembly.Module;
}

/**
 * Instantiates all modules. `block` is the address of {@link instanceBytes} bytes that only this instance uses.
 *
 * The static data and the stack of the side module are placed there, at an address passed to it (a module linked to fixed
 * addresses would overwrite tfjs's own data); indirect calls use a separate table. The convention:
 * https://github.com/WebAssembly/tool-conventions/blob/main/DynamicLinking.md
 */
export function instantiateKernels(
  { kernels, relaxed, graph, products }: KernelModules,
  memory: WebAssembly.Memory,
  block: number,
): Exports {
  const { memorySize, memoryAlignment, tableSize } = readDylink(kernels);
  const stackTop = Math.floor((block + STACK_BYTES) / 16) * 16;
  const data = Math.ceil((block + STACK_BYTES) / memoryAlignment) * memoryAlignment;
  new Uint8Array(memory.buffer, data, memorySize).fill(0); // the part without initial values must be zero
  const i32 = (value: number, mutable = false) =>
    new WebAssembly.Global({ value: 'i32', mutable }, value | 0);
  const env = {
    memory,
    __memory_base: i32(data),
    __table_base: i32(0),
    __stack_pointer: i32(stackTop, true),
    has_tall_tiles: i32(relaxed?.hasTallTiles ? 1 : 0),
    __indirect_function_table: new WebAssembly.Table({ initial: tableSize, element: 'anyfunc' }),
  };
  const exportsOf = (module: WebAssembly.Module) => new WebAssembly.Instance(module, { env }).exports;
  const exports = exportsOf(kernels);
  (exports.__wasm_call_ctors as () => void)();
  const replaced = relaxed ? exportsOf(relaxed.module) : {};
  return { ...exportsOf(graph), ...exportsOf(products), ...exports, ...replaced };
}

/** Returns the bytes of memory that an instance needs for itself. */
export function instanceBytes({ kernels }: KernelModules): number {
  const { memorySize, memoryAlignment } = readDylink(kernels);
  return STACK_BYTES + memorySize + memoryAlignment;
}

interface Dylink {
  readonly memorySize: number;
  readonly memoryAlignment: number;
  readonly tableSize: number;
}

/** Reads the `WASM_DYLINK_MEM_INFO` entry of the `dylink.0` section: what a side module requires of its host. */
function readDylink(module: WebAssembly.Module): Dylink {
  const MEM_INFO = 1;
  const [section] = WebAssembly.Module.customSections(module, 'dylink.0');
  if (!section) throw new Error('tfjs-grootvl/wasm: the kernels are not a side module (no dylink.0 section)');
  const cursor = new Cursor(new Uint8Array(section));
  while (cursor.at < cursor.bytes.length) {
    const type = cursor.byte();
    const end = cursor.unsigned() + cursor.at;
    if (type === MEM_INFO) {
      const [memorySize, memoryAlignment, tableSize] = [
        cursor.unsigned(),
        2 ** cursor.unsigned(),
        cursor.unsigned(),
      ];
      return { memorySize, memoryAlignment, tableSize };
    }
    cursor.at = end;
  }
  return { memorySize: 0, memoryAlignment: 1, tableSize: 0 };
}
