/**
 * Gives a WebAssembly module `f32x4.relaxed_madd`, which compilers of Emscripten before 3.1.33 have under the code of a draft: calls
 * of an imported function `relaxed_madd` become that instruction.
 */
import binaryen from 'binaryen'; // that of AssemblyScript

const IMPORT = /^ *\(import "env" "relaxed_madd" \(func (\S+) .*\n/m;
/** What `dylink.0` says of a module that needs no memory and no table. */
const NEEDS_NOTHING = '1,4,0,0,0,0';

/**
 * @param {Uint8Array} bytes of a side module without static data: it takes the place of another's functions, and has its stack
 * @returns {Uint8Array} a module that is no longer a side module, but imports what one does
 * @throws {Error} where it does not import the function, or has static data
 */
export function withRelaxedMadd(bytes) {
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'dylink.0');
  const needs = String(new Uint8Array(section));
  if (needs !== NEEDS_NOTHING) {
    throw new Error(`relaxed_madd: expected a module without static data, got one that needs ${needs}`);
  }
  const text = textOf(bytes);
  const found = IMPORT.exec(text);
  if (!found) throw new Error('relaxed_madd: the module does not import relaxed_madd');
  const module = binaryen.parseText(
    text.replace(found[0], '').replaceAll(`(call ${found[1]}\n`, '(f32x4.relaxed_madd\n'),
  );
  try {
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) throw new Error('relaxed_madd: the changed module is not valid');
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

function textOf(bytes) {
  const module = binaryen.readBinary(bytes);
  try {
    return module.emitText();
  } finally {
    module.dispose();
  }
}
