/** Tables in README.md, FEATURES.md and docs/ that are generated from the registries. */
import t from 'tap';
import { DOCUMENTS, readDocument, withTables } from './documented_tables.js';

for (const name of DOCUMENTS) {
  t.test(`${name}: its tables are those of the registries`, async (t) => {
    const text = readDocument(name);
    t.match(text, /<!-- table: /, 'has a table');
    t.equal(text, withTables(text), 'run npm run tables');
  });
}

t.test('a stale table is made anew, and the text around it is kept', async (t) => {
  const stale = 'before\n<!-- table: ops -->\n| old |\n<!-- table: end -->\nafter\n';
  const fresh = withTables(stale);
  t.match(fresh, /^before\n<!-- table: ops -->\n\| op \|[\s\S]*\n<!-- table: end -->\nafter\n$/);
  t.notMatch(fresh, 'old');
  t.equal(withTables(fresh), fresh);
});

t.test('a marker of no table', async (t) => {
  t.throws(() => withTables('<!-- table: speeds -->\n<!-- table: end -->'), { message: /got "speeds"/ });
});
