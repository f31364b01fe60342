/**
 * What `npm test` shows of tap's output: the result of each file, each skipped test with its reason, and of a file that fails all
 * but what passes. With 20,000 assertions tap's process took 2 seconds of CPU time to print plain TAP, which this reads, 7 with its
 * reporter `terse` and 12 with `base`.
 */

/** Headings, numbers of tests, passing tests and empty lines. */
const OF_NO_INTEREST = /^TAP version|^ *(# Subtest: .*|\d+\.\.\d+( .*)?|ok \d.*|)$/;

/** @param lines of tap's output; the yielded ones are among them */
export async function* tapOutput(lines) {
  let file = [];
  let hasFailed = false;
  for await (const line of lines) {
    if (/^ +ok \d.* # SKIP/.test(line)) yield line;
    else if (/^(not ok|# (?!Subtest)|Bail out!)/.test(line)) {
      yield* file;
      yield line;
      file = [];
      hasFailed = true; // what follows says why, until the next file
    } else if (OF_NO_INTEREST.test(line)) {
      if (/^(ok|# Subtest)/.test(line)) {
        file = [];
        hasFailed = false;
      }
      if (line.startsWith('ok')) yield line;
    } else if (hasFailed) yield line;
    else file.push(line);
  }
  yield* file;
}
