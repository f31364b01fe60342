/**
 * Constants shared by TypeScript and C++ or CUDA code are defined in a header `constants.h`; this writes a `constants.ts` beside
 * each. testing/constants.test.ts checks that they are up to date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './setup.mjs';

/** Folders that have a constants.h. */
export const FOLDERS = ['wasm', 'gpu/cuda', 'gpu/cuda/backend/kernels'];

/** A doc comment of one or more lines, a constant, or an enumeration whose members count from 0. */
const PART =
  /(?<comment>\/\*\*[\s\S]*?\*\/)|constexpr int (?<name>\w+) = (?<value>\d+);|enum (?<type>\w+) \{(?<members>[^}=]*)\};/y;
const PRAGMA = '#pragma once';

/**
 * @param {string} header the text of a constants.h
 * @returns {string} the same constants in TypeScript
 * @throws {Error} if it contains anything else
 */
export function constantsOf(header) {
  const [, body] = header.split(PRAGMA);
  if (body === undefined) throw new Error(`constants.h has no ${PRAGMA}`);
  let text = '/** Written by scripts/constants.mjs from constants.h: edit that. */';
  PART.lastIndex = 0;
  for (let at = 0; at < body.length; at = PART.lastIndex) {
    const [space] = /^\s*/.exec(body.slice(at));
    text += space;
    PART.lastIndex = at + space.length;
    if (PART.lastIndex === body.length) break;
    const part = PART.exec(body)?.groups;
    if (!part)
      throw new Error(`constants.h: expected a constant, got ${body.slice(at).trim().split('\n')[0]}`);
    if (part.comment) text += part.comment;
    else if (part.name) text += `export const ${part.name} = ${part.value};`;
    else text += enumeration(part.type, part.members);
  }
  return text;
}

function enumeration(type, members) {
  const lines = members.split(',').map((name, i) => `  ${name.trim()}: ${i},\n`);
  return `export const ${type} = {\n${lines.join('')}} as const;`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const folder of FOLDERS) {
    const header = readFileSync(join(ROOT, folder, 'constants.h'), 'utf8');
    writeFileSync(join(ROOT, folder, 'constants.ts'), constantsOf(header));
  }
}
