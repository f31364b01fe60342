/** Tests modules that are rewritten to import a shared memory. */
import t from 'tap';
import { PREAMBLE, withSharedMemory } from './binary_format.js';

const text = (value: string) => [value.length, ...Buffer.from(value)];
const section = (id: number, content: readonly number[]) => [id, content.length, ...content];
const TYPES = section(1, [1, 0x60, 0, 0]);
const FUNCTION = [...text('a'), ...text('f'), 0, 0];
const TABLE = [...text('a'), ...text('t'), 1, 0x70, 1, 2, 3];
const GLOBAL = [...text('a'), ...text('g'), 3, 0x7f, 1];
const moduleOf = (...sections: readonly number[][]) => Uint8Array.from([...PREAMBLE, ...sections.flat()]);

t.test('the memory is found among other imports', async (t) => {
  for (const [what, limits] of [
    ['without a maximum', [0, 1]],
    ['with one', [1, 1, 2]],
  ] as const) {
    const memory = [...text('a'), ...text('m'), 2, ...limits];
    const given = moduleOf(
      TYPES,
      section(2, [4, ...FUNCTION, ...TABLE, ...GLOBAL, ...memory]),
      section(3, [0]),
    );
    const module = new WebAssembly.Module(withSharedMemory(given));
    const imports = {
      f: () => {},
      t: new WebAssembly.Table({ initial: 2, maximum: 3, element: 'anyfunc' }),
      g: new WebAssembly.Global({ value: 'i32', mutable: true }, 0),
    };
    const memoryOf = (shared: boolean) => new WebAssembly.Memory({ initial: 300, maximum: 65536, shared });
    t.ok(new WebAssembly.Instance(module, { a: { ...imports, m: memoryOf(true) } }), what);
    t.throws(() => new WebAssembly.Instance(module, { a: { ...imports, m: memoryOf(false) } }), {
      message: /shared/,
    });
  }
});

t.test('a module without one is refused', async (t) => {
  t.throws(() => withSharedMemory(moduleOf(TYPES)), {
    message: 'the module imports nothing, expected a memory',
  });
  t.throws(() => withSharedMemory(moduleOf(TYPES, section(2, [1, ...FUNCTION]))), {
    message: 'the module imports no memory, expected one',
  });
});
