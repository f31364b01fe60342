/**
 * Writes the table of faults into a README, between its markers: `node dist/conformance/mutations/write_table.js
 * conformance/README.md`. Fails when a fault is not caught, or kernels without a fault are.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { loadCases } from '../cases/load.js';
import { generatedCases } from '../generated/generated.js';
import { directorySource } from '../runners/directory.js';
import { checkMutations, mutationTable } from './check.js';

const [BEGIN, END] = ['<!-- mutations -->', '<!-- /mutations -->'];

const readme = process.argv[2] ?? 'conformance/README.md';
const fixtures = process.argv[3] ?? fileURLToPath(new URL('../../../fixtures', import.meta.url));
const cases = [...generatedCases(), ...(await loadCases(directorySource(fixtures)))];
const { correct, caught } = await checkMutations(cases);
const missed = caught.filter(({ by }) => by.length === 0);
for (const { op, case: name, reason } of correct)
  console.error(`right kernels fail: ${op}, ${name}: ${reason}`);
for (const { fault } of missed) console.error(`not caught: ${fault.op}, ${fault.name}`);
if (correct.length + missed.length > 0) {
  process.exitCode = 1;
} else {
  const text = await readFile(readme, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  await writeFile(readme, `${text.slice(0, begin)}\n${mutationTable(caught)}\n${text.slice(end)}`);
  console.log(`${caught.length} faults, all caught`);
}
