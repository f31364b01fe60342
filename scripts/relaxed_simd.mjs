/**
 * Adds to a WebAssembly module what C++ cannot express in Emscripten before 3.1.33: `f32x4.relaxed_madd`, which its compiler
 * supports, if at all, with the opcode of a draft, and a constant that is known when the module is instantiated. In the sources
 * both are imported functions.
 */
import binaryen from 'binaryen'; // the version that AssemblyScript uses

/** `dylink.0` of a module that needs neither memory nor a table. */
const NEEDS_NOTHING = '1,4,0,0,0,0';

/**
 * @param {Uint8Array} bytes of a side module without static data: it replaces functions of another module, and shares its stack
 * @returns {Uint8Array} a module that is no longer a side module but has the same imports, and a global `has_tall_tiles`
 * @throws {Error} if it does not import the functions, or has static data
 */
export function withRelaxedSimd(bytes) {
  const [section] = WebAssembly.Module.customSections(new WebAssembly.Module(bytes), 'dylink.0');
  const needs = String(new Uint8Array(section));
  if (needs !== NEEDS_NOTHING) {
    throw new Error(`relaxed_simd: expected a module without static data, got one that needs ${needs}`);
  }
  const madd = replaceImport(textOf(bytes), 'relaxed_madd', '', (name) => [
    `(call ${name}\n`,
    '(f32x4.relaxed_madd\n',
  ]);
  const text = replaceImport(
    madd,
    'has_tall_tiles',
    ' (import "env" "has_tall_tiles" (global $has_tall_tiles i32))\n',
    (name) => [`(call ${name})`, '(global.get $has_tall_tiles)'],
  );
  const module = binaryen.parseText(text);
  try {
    module.setFeatures(binaryen.Features.All);
    if (!module.validate()) throw new Error('relaxed_simd: the changed module is not valid');
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

/** Replaces the import of a function in the text, and the code of its calls. */
function replaceImport(text, name, other, callsOf) {
  const found = new RegExp(`^ *\\(import "env" "${name}" \\(func (\\S+) .*\\n`, 'm').exec(text);
  if (!found) throw new Error(`relaxed_simd: the module does not import ${name}`);
  const [call, code] = callsOf(found[1]);
  return text.replace(found[0], other).replaceAll(call, code);
}
