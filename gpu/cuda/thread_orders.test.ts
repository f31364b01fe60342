/** Repeats tests of this folder with the threads of a block in other orders, to detect missing barriers. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const FILES = ['boruvka_mst', 'tree_scan', 'fused'];

for (const order of ['backward', 'shuffled']) {
  for (const name of FILES) {
    t.test(`${name}, ${order}`, (t) => {
      if (process.env.GROOTVL_CUDA === 'device') {
        t.pass('the order', { skip: 'a GPU chooses it itself' });
        return t.end();
      }
      const file = fileURLToPath(import.meta.resolve(`./${name}.test.js`));
      const { status, stdout, stderr } = spawnSync(process.execPath, [...process.execArgv, file], {
        encoding: 'utf8',
        env: { ...process.env, GROOTVL_EMULATION_ORDER: order },
      });
      const failed = stdout.split('\n').filter((line) => /^\s*not ok/.test(line));
      t.equal(status, 0, `passes ${failed.join('\n')} ${stderr}`);
      t.end();
    });
  }
}
