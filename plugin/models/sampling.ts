/** Chooses the next token from logits. */
import { RandomNumbers } from '../random.js';
import { type Check, options as checkOptions, integer, number, refuse } from './checks.js';

/** Options for choosing a token. */
export interface SamplingOptions {
  /** 0 (default): always the most probable token. Otherwise logits are divided by it. */
  readonly temperature?: number;
  /** Only the k most probable tokens; all by default. */
  readonly topK?: number;
  /** Only the most probable tokens that together reach this probability; 1 (all) by default. */
  readonly topP?: number;
  /** Seed of the random numbers; random by default. */
  readonly seed?: number;
}

const POSITIVE: Check = (value, name) => {
  if (typeof value !== 'number' || !(value > 0 && value <= 1))
    refuse(value, name, 'a number above 0, up to 1');
};

const OPTIONS = {
  temperature: number(0, Number.MAX_VALUE),
  topK: integer(1),
  topP: POSITIVE,
  seed: integer(Number.MIN_SAFE_INTEGER),
};

/** @throws {Error} that names the invalid option. */
export function checkSampling(method: string, options: SamplingOptions): void {
  checkOptions(options, method, OPTIONS);
}

/** Returns uniform random numbers in [0, 1) from a seed, so that a text can be reproduced. */
export function randomNumbers(seed = Math.floor(Math.random() * 2 ** 32)): () => number {
  const random = new RandomNumbers(seed);
  return () => random.next();
}

/** Returns the index of the largest logit, the first among equals. */
export function mostProbable(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
  return best;
}

/** Returns log(sum of exp(logits)); a token's log-probability is its logit minus this. */
export function logSumExp(logits: Float32Array): number {
  const largest = logits[mostProbable(logits)];
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += Math.exp(logits[id] - largest);
  return largest + Math.log(sum);
}

/** Draws a token by its probability among those that the options allow. */
export function chooseToken(logits: Float32Array, options: SamplingOptions, random: () => number): number {
  const { temperature = 0, topK = logits.length, topP = 1 } = options;
  if (temperature === 0 || topK === 1) return mostProbable(logits);
  const largest = logits[mostProbable(logits)];
  let candidates = Array.from(logits, (logit, id) => ({
    id,
    weight: Math.exp((logit - largest) / temperature),
  }));
  if (topK < logits.length || topP < 1) {
    candidates = candidates.sort((a, b) => b.weight - a.weight || a.id - b.id).slice(0, topK);
  }
  const total = () => candidates.reduce((sum, { weight }) => sum + weight, 0);
  if (topP < 1) {
    const enough = topP * total();
    let reached = 0;
    // The token that reaches the limit is included.
    candidates = candidates.filter(({ weight }) => {
      const before = reached;
      reached += weight;
      return before < enough;
    });
  }
  let remaining = random() * total();
  for (const { id, weight } of candidates) {
    remaining -= weight;
    if (remaining < 0) return id;
  }
  return candidates[candidates.length - 1].id;
}
