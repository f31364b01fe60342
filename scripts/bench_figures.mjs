/** Inserts the newest results of bench/results/ (`grootvl bench --out`) into the documents that show figures. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withFigures } from '../dist/bench/figures.js';
import { ROOT } from './setup.mjs';

const results = join(ROOT, 'bench', 'results');
const newest = readdirSync(results)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .at(-1);
if (!newest) throw new Error(`${results}: no .json file there`);
const report = JSON.parse(readFileSync(join(results, newest), 'utf8'));
for (const document of ['README.md', 'bench/README.md']) {
  const path = join(ROOT, document);
  writeFileSync(path, withFigures(readFileSync(path, 'utf8'), report));
}
