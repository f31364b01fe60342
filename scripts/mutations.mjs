/** Prints the table of faults that the conformance suite must detect; run `npm run build` first. Fails if one is missed. */
import { checkMutations, mutationTable } from '../dist/conformance/mutate.js';
import { generatedCases } from '../dist/conformance/spec_cases.js';

const { correct, caught } = await checkMutations(generatedCases());
for (const { op, case: name, reason } of correct)
  console.error(`right kernels fail: ${op}, ${name}: ${reason}`);
console.log(mutationTable(caught));
const missed = caught.filter(({ by }) => by.length === 0);
console.log(`\n${caught.length} faults, ${missed.length} missed`);
if (correct.length + missed.length > 0) process.exitCode = 1;
