/**
 * Runs in tap's own process (test.mjs), not in those of tests. For coverage, which is off here, tap makes every process and its
 * children record each module that they load, which takes a third of the time of a small test: this disables it.
 */
import { ChildProcess } from 'node:child_process';

const TRACKER = /"?--import=\S*@tapjs\/processinfo\S*/g;

const { spawn } = ChildProcess.prototype;
ChildProcess.prototype.spawn = function (options) {
  const args = options.args.filter((argument) => argument.search(TRACKER) < 0);
  const envPairs = options.envPairs.map((pair) =>
    pair.startsWith('NODE_OPTIONS=') ? pair.replace(TRACKER, '') : pair,
  );
  return spawn.call(this, { ...options, args, envPairs });
};
