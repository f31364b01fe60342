import t from 'tap';
import { type ConformanceCase, onlyMatching, type Sampling, sampled } from './case.js';

t.test('sampled: so many of each row, evenly spaced, by the first expression that matches', async (t) => {
  const named = (op: string, name: string): ConformanceCase => ({ kind: 'skipped', op, name, reason: '' });
  const cases = [
    ...Array.from('0123456789', (name) => named('A', name)),
    named('B', '0'),
    ...Array.from('abc', (name) => named('B', name)),
  ];
  const kept = (...sampling: Sampling) =>
    sampled(cases, sampling)
      .map(({ op, name }) => op + name)
      .join(' ');
  t.equal(kept(), cases.map(({ op, name }) => op + name).join(' '));
  t.equal(kept(['', 2]), 'A4 A9 Ba Bc');
  t.equal(kept(['', 3]), 'A3 A6 A9 Ba Bb Bc');
  t.equal(kept(...onlyMatching('^A: [2-4]|b')), 'A2 A3 A4 Bb');
  t.equal(kept(...onlyMatching('C')), '');
  t.equal(kept(['^A: [0-5]', 0], ['^A', 1], ['B: [a-z]', 9]), 'A9 B0 Ba Bb Bc');
});
