/**
 * Whether products of float32 run by relaxed SIMD, whose `f32x4.relaxed_madd` multiplies and adds in one instruction, and
 * rounds once, on processors that have it. Results then differ from those of other machines in their last bits.
 */
import { PANEL } from './constants.js';
import type { WasmFunctions } from './functions.js';
import type { Space } from './relaxed_simd.js';

type Linear = Pick<WasmFunctions, 'linear'>;

/** Sizes of what is compared: panels and tiles that are full and that are not, and enough for a measurement. */
const ROWS = 37;
const INPUTS = 100;
const OUTPUTS = 60;

/** Of the largest value: sums of so many terms differ by less, whether they are rounded once a term or twice. */
const BOUND = 1e-5;

/** A round lasts as long, for clocks of pages are coarse; but it ends after so many calls, for some clocks stand still. */
const ROUND = { ms: 1, calls: 200 };
/** Rounds after the last in which a way leapt ahead: engines compile what is busy once more, each function at its time. */
const CALM_ROUNDS = 8;
const MOST_ROUNDS = 60;
const LEAP = 1.25;

/**
 * Relaxed SIMD is left aside where it takes this much longer. If a tie were one, chance would decide it, and the next run would
 * give other bits.
 */
const SLOWER = 1.1;

let measured: { readonly best: number | undefined } | undefined;

/**
 * Which of some ways of relaxed SIMD, which give the same bits, to take: measured when it is first asked. Undefined where there is
 * none, where one is wrong, and where all are slower.
 */
export function bestRelaxed(plain: Linear, ways: readonly Linear[], space: Space): number | undefined {
  if (ways.length === 0) return undefined;
  return withSample(space, (run, values) => {
    const areRight = () => {
      run(plain);
      const expected = values();
      const bound = BOUND * expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      return ways.every((way) => {
        run(way);
        return values().every((value, i) => Math.abs(value - expected[i]) <= bound);
      });
    };
    if (!areRight()) return undefined;
    measured ??= {
      best: fastest(
        ways.map((way) => () => run(way)),
        () => run(plain),
      ),
    };
    return areRight() ? measured.best : undefined; // again: the code of all may be another by now
  });
}

/** By the best round of each way; undefined where all take much longer than the other. */
export function fastest(ways: readonly (() => void)[], other: () => void): number | undefined {
  const best = [...ways, other].map(() => 0);
  let end = CALM_ROUNDS;
  for (let round = 0; round < Math.min(end, MOST_ROUNDS); round++) {
    for (const [i, run] of [...ways, other].entries()) {
      const rate = rateOf(run);
      if (rate > LEAP * best[i]) end = round + CALM_ROUNDS;
      best[i] = Math.max(best[i], rate);
    }
  }
  const rates = best.slice(0, ways.length);
  const most = Math.max(...rates);
  return most * SLOWER >= best[ways.length] ? rates.indexOf(most) : undefined;
}

/** Calls in a millisecond. */
function rateOf(run: () => void): number {
  const start = performance.now();
  for (let calls = 1; ; calls++) {
    run();
    const ms = performance.now() - start;
    if (ms >= ROUND.ms || calls === ROUND.calls) return calls / ms;
  }
}

/** A product of fixed numbers. `use` runs it as often as it likes, and asks for its result. */
function withSample<T>(
  { memory, allocate, free }: Space,
  use: (run: (functions: Linear) => void, values: () => Float32Array) => T,
): T {
  const panels = Math.ceil(OUTPUTS / PANEL);
  const counts = [ROWS * INPUTS, panels * PANEL * INPUTS, ROWS * OUTPUTS];
  const blocks: number[] = [];
  try {
    for (const count of counts) blocks.push(allocate(4 * count));
    const [x, packed, y] = blocks;
    const array = (i: number) => new Float32Array(memory.buffer, blocks[i], counts[i]);
    array(0).forEach((_, i, values) => {
      values[i] = ((i * 7919) % 1013) / 500 - 1;
    });
    array(1).forEach((_, i, values) => {
      values[i] = ((i * 104729) % 1019) / 500 - 1;
    });
    return use(
      ({ linear }) => linear(x, packed, 0, y, ROWS, INPUTS, OUTPUTS, 0, panels, 0),
      () => array(2).slice(),
    );
  } finally {
    for (const block of blocks) free(block);
  }
}
