/** What `npm test` shows of tap's output. */
import t from 'tap';

const SCRIPT = new URL('../scripts/tap_output.mjs', import.meta.url).href;
const { tapOutput } = (await import(SCRIPT)) as {
  tapOutput: (lines: Iterable<string>) => AsyncIterable<string>;
};

async function shown(text: string): Promise<string> {
  const lines: string[] = [];
  for await (const line of tapOutput(text.split('\n'))) lines.push(line);
  return lines.join('\n');
}

t.test(
  'results of files and reasons of skipped tests, of a failed file all that does not pass',
  async (t) => {
    const text = `TAP version 14
1..3
# Subtest: good.test.js
    printed
    # Subtest: one
        ok 1 - fine
        ok 2 - absent # SKIP no GPU
        # said
        1..2
    ok 1 - one # time=1ms

    1..1
ok 1 - good.test.js # time=2ms

# Subtest: bad.test.js
    ok 1 - fine
    # said before
    not ok 2 - wrong
      ---
      diff: expected
      ...
    1..2
not ok 2 - bad.test.js # time=3ms
  ---
  exitCode: 1
  ...
# Subtest: last.test.js
    # Subtest: one
    ok 1 - one
    1..1
ok 3 - last.test.js # time=4ms

# { total: 5, pass: 3, fail: 1, skip: 1 }
# time=9ms`;
    t.equal(
      await shown(text),
      `        ok 2 - absent # SKIP no GPU
ok 1 - good.test.js # time=2ms
    # said before
    not ok 2 - wrong
      ---
      diff: expected
      ...
not ok 2 - bad.test.js # time=3ms
  ---
  exitCode: 1
  ...
ok 3 - last.test.js # time=4ms
# { total: 5, pass: 3, fail: 1, skip: 1 }
# time=9ms`,
    );
  },
);

t.test('output that ends within a file, and a bail out', async (t) => {
  t.equal(await shown('# Subtest: a.test.js\n    ok 1 - one\n    words'), '    words');
  t.equal(
    await shown('# Subtest: a.test.js\n    words\nBail out! no memory'),
    '    words\nBail out! no memory',
  );
});
