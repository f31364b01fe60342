/** Repeats tests of this folder with the threads of a block in other orders, to detect missing barriers. */
import { spawnSync } from 'node:child_process';
import t from 'tap';

const FILES = ['boruvka_mst', 'tree_scan', 'fused'];

/** All files in one process, whose start takes as long as some of them; the next one is loaded at the end of a file's tests. */
const PROGRAM = `import t from 'tap';\n${FILES.map(
  (name) =>
    `await import(${JSON.stringify(import.meta.resolve(`./${name}.test.js`))});\nawait t.test('end of ${name}', async () => {});\n`,
).join('')}`;

for (const order of ['backward', 'shuffled']) {
  t.test(`${FILES.join(', ')}: ${order}`, (t) => {
    if (process.env.GROOTVL_CUDA === 'device') {
      t.pass('the order', { skip: 'a GPU chooses it itself' });
      return t.end();
    }
    const args = [...process.execArgv, '--input-type=module', '--eval', PROGRAM];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      env: { ...process.env, GROOTVL_EMULATION_ORDER: order },
    });
    const lines = stdout.split('\n');
    const failed = lines.filter((line) => /^\s*not ok/.test(line));
    t.equal(status, 0, `passes ${failed.join('\n')} ${stderr}`);
    for (const name of FILES) {
      t.ok(
        lines.some((line) => line.includes(`- end of ${name}`)),
        `${name} has run to its end`,
      );
    }
    t.end();
  });
}
