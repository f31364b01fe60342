/** Classifies the digits in examples/ and shows the true label next to each result. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './setup.mjs';

const DIGITS = join('examples', 'digits');

export function classifyDigits(model) {
  const files = readdirSync(join(ROOT, DIGITS)).filter((name) => name.endsWith('.png'));
  const command = [join('dist', 'node', 'cli', 'main.js'), 'classify', model];
  const { stdout, status } = spawnSync(
    process.execPath,
    [...command, ...files.map((file) => join(DIGITS, file)), '--top', '2', '--json'],
    { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  );
  if (status !== 0) process.exit(status ?? 1);
  let right = 0;
  for (const { file, predictions } of JSON.parse(stdout)) {
    const truth = /label-(\d)/.exec(file)?.[1];
    const [first, second] = predictions.map(({ label, probability }) => `${label} (${percent(probability)})`);
    const correct = predictions[0].label === truth;
    if (correct) right++;
    console.log(`  true ${truth}   predicted ${first}   then ${second}   ${correct ? '' : '  <- wrong'}`);
  }
  console.log(`  ${right} of ${files.length} right`);
}

function percent(probability) {
  return `${(100 * probability).toFixed(1)} %`.padStart(7);
}
