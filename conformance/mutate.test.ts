import { fileURLToPath } from 'node:url';
import t from 'tap';
import { SPECS } from '../plugin/ops/specs.js';
import { loadCases } from './cases/load.js';
import { checkMutations } from './mutate.js';
import { directorySource } from './runners/directory.js';
import { generatedCases } from './spec_cases.js';

t.test('every fault is caught, and kernels without one pass', async (t) => {
  const fixtures = directorySource(fileURLToPath(new URL('../fixtures', import.meta.url)));
  const cases = [...generatedCases(), ...(await loadCases(fixtures))];
  const { correct, caught } = await checkMutations(cases, SPECS, 'first');
  t.same(correct, []);
  t.ok(caught.length >= 20, `${caught.length} faults`);
  for (const { op, fault, by } of caught) t.ok(by.length > 0, `${op}: ${fault}, caught by ${by[0]?.case}`);
});

t.test('generated cases alone catch most faults, whatever the seed', async (t) => {
  for (const seed of [2, 3]) {
    const { correct, caught } = await checkMutations(generatedCases(seed), SPECS, 'first');
    t.same(correct, []);
    const missed = caught.filter(({ by }) => by.length === 0).map(({ op, fault }) => `${op}: ${fault}`);
    t.ok(missed.length <= 3, `seed ${seed}: ${missed.join(', ') || 'none'} missed`);
  }
});
