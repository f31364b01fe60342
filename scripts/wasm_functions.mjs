/**
 * The C++ of wasm/ is the only place where its exports are declared; this writes the same signatures for TypeScript, as
 * wasm/functions.ts. testing/wasm_functions.test.ts checks that it is up to date.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './setup.mjs';

const FOLDER = join(ROOT, 'wasm');
const EXPORTED = /EXPORT (?<result>\w+) (?<name>\w+)\((?<parameters>[^)]*)\)\s*\{/g;
/** Pointers are addresses; enumerations are numbers. */
const PARAMETER = /^(?:const )?(?:(?<plain>\w+)|\w+ ?\*(?: ?const)?) ?\b(?<name>\w+)$/;
const WIDTH = 110;

/**
 * @param {Readonly<Record<string, string>>} sources C++ by file name
 * @returns {string} an interface with all exported functions
 * @throws {Error} if JavaScript cannot pass a parameter's type
 */
export function functionsOf(sources) {
  const parts = Object.entries(sources).flatMap(([file, source]) => {
    const functions = [...source.replace(/\/\/.*/g, '').matchAll(EXPORTED)].map(({ groups }) =>
      signature(file, groups),
    );
    return functions.length === 0 ? [] : [`  // ${file}\n${functions.join('')}`];
  });
  return [
    '/** Written by scripts/wasm_functions.mjs from the EXPORTs of the .cc files: edit those. */\n\n',
    '/** What our module of C++ exports. Pointers are addresses, 0 for what is left out. */\n',
    `export interface WasmFunctions {\n${parts.join('')}}\n`,
  ].join('');
}

function signature(file, { result, name, parameters }) {
  const list = parameters.split(',').map((text) => {
    const parameter = PARAMETER.exec(text.trim().replace(/\s+/g, ' '))?.groups;
    if (!parameter) throw new Error(`${file}: ${name}: expected a parameter, got ${text.trim()}`);
    const camel = parameter.name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
    return `${camel}: ${parameter.plain === 'bool' ? 'boolean' : 'number'}`;
  });
  const end = `): ${result === 'void' ? 'void' : 'number'};\n`;
  const line = `  ${name}(${list.join(', ')}${end}`;
  return line.length <= WIDTH + 1
    ? line
    : `  ${name}(\n${list.map((each) => `    ${each},\n`).join('')}  ${end}`;
}

/** The sources of the module, by file name. */
export function sourcesOf() {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.cc'));
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(FOLDER, 'functions.ts'), functionsOf(sourcesOf()));
}
