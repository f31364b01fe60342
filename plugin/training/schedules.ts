/** Learning rate schedule and weight decay rule of the authors' training. */
import { options as checkOptions, integer, number } from '../models/checks.js';
import type { Trainable } from './trainable.js';

export interface CosineOptions {
  /** The rate of step 0, from which it rises linearly to `peak`; default 0. */
  readonly start?: number;
  readonly peak: number;
  /** The rate at and after the last step. */
  readonly end: number;
  /** Steps over which the rate rises; default 0. */
  readonly warmup?: number;
  readonly steps: number;
}

/**
 * Warm-up followed by half a cosine. The cosine is counted from step 0, as in the authors' code, so that after the warm-up
 * the rate is below the peak.
 * @returns a function from the step, counted from 0, to the learning rate
 */
export function cosineSchedule(options: CosineOptions): (step: number) => number {
  const rate = number(0, Number.MAX_VALUE);
  checkOptions(options, 'cosineSchedule', { start: rate, warmup: integer(0) });
  const { start = 0, peak, end, warmup = 0, steps } = options;
  for (const [name, value] of Object.entries({ peak, end })) rate(value, `cosineSchedule: ${name}`);
  integer(1)(steps, 'cosineSchedule: steps');
  return (step) => {
    if (step < warmup) return start + (step * (peak - start)) / warmup;
    return end + 0.5 * (peak - end) * (1 + Math.cos((Math.PI * Math.min(step, steps)) / steps));
  };
}

/**
 * The authors' rule for which parameters decay: all except those that are one-dimensional in PyTorch and every `.bias`.
 * @returns a function of the PyTorch name
 */
export function decayedParameters({ parameters }: Pick<Trainable, 'parameters'>): (name: string) => boolean {
  return (name) => (parameters.get(name)?.shape.length ?? 0) > 1 && !name.endsWith('.bias');
}
