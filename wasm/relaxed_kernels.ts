/**
 * Decides whether float32 products use relaxed SIMD, whose `f32x4.relaxed_madd` multiplies and adds in one instruction, with
 * one rounding, on processors that have it. Results then differ from those of other machines in their last bits.
 */
import { PANEL } from './constants.js';
import type { WasmFunctions } from './functions.js';
import type { Space } from './relaxed_simd.js';

type Products = Pick<WasmFunctions, 'linear'>;

/** Sizes of the comparison: full and partial panels and tiles, and enough work to measure. */
const ROWS = 37;
const INPUTS = 100;
const OUTPUTS = 60;

/** Relative to the largest value: sums of this many terms differ by less, whether rounded once or twice per term. */
const BOUND = 1e-5;

/**
 * A round lasts this long, because clocks of pages are coarse; but it ends after this many calls, because some clocks stop.
 */
const ROUND = { ms: 1, calls: 200 };
/** Rounds to wait after the last sudden speed-up: engines recompile busy functions, each at a different time. */
const CALM_ROUNDS = 8;
const MOST_ROUNDS = 60;
const LEAP = 1.25;

/**
 * Relaxed SIMD is not used if it takes this much longer. If ties counted as slower, the choice would be random, and the next
 * run would give different bits.
 */
const SLOWER = 1.1;

let measured: { readonly best: number | undefined } | undefined;

/**
 * Returns which of several relaxed SIMD variants, which give the same bits, is fastest; measured on the first call.
 * Undefined if there is none, one is wrong, or all are slower.
 */
export function bestRelaxed(plain: Products, ways: readonly Products[], space: Space): number | undefined {
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
    return areRight() ? measured.best : undefined; // checked again, because the code of all may have been recompiled
  });
}

/** Compares the best round of each; undefined if all take much longer than the other. */
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

/** Computes a product of fixed numbers. `use` may run it any number of times, and reads its result. */
function withSample<T>(
  { memory, allocate, free }: Space,
  use: (run: (functions: Products) => void, values: () => Float32Array) => T,
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
      ({ linear }) => linear(x, packed, 0, 0, y, ROWS, INPUTS, OUTPUTS, 0, panels, 0),
      () => array(2).slice(),
    );
  } finally {
    for (const block of blocks) free(block);
  }
}
