/** Runs all of tfjs-core's own specs, in a separate process: see run.mjs, which lists the expected results. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const run = fileURLToPath(new URL('./run.mjs', import.meta.url));
const { status, stdout } = spawnSync(process.execPath, [run], {
  encoding: 'utf8',
  env: { ...process.env, NODE_OPTIONS: '' },
  maxBuffer: 1 << 26,
});
const summary = stdout.split('\n').filter((line) => /^(failed|tfjs-core on cuda)/.test(line));
t.equal(status, 0, summary.join('\n'));
t.match(stdout, /tfjs-core on cuda \(emulation|device\): \d+ passed/);
