/** Requests and results of scoring texts, and how requests are batched. */

/** The score of a continuation after a context. */
export interface Score {
  /** Natural logarithm of its probability. */
  readonly logprob: number;
  /** Whether each of its tokens is the most probable one. */
  readonly isGreedy: boolean;
  readonly tokens: readonly { readonly id: number; readonly logprob: number }[];
}

/** The perplexity of a text. */
export interface Perplexity {
  /** exp(-logprob / scoredTokens). */
  readonly perplexity: number;
  /** Natural logarithm of the probability of all scored tokens. */
  readonly logprob: number;
  readonly scoredTokens: number;
}

/** Token ids to read, and how many of the last ones to score. */
export interface Request {
  readonly ids: readonly number[];
  readonly promptLength: number;
  readonly scored: number;
}

/** White space as Python's `rstrip` defines it, which the evaluation harness uses. */
export const TRAILING_SPACE = /(?:(?!\ufeff)[\s\u0085])+$/;

/** Maximum number of tokens read at once. */
const BATCH_TOKENS = 2048;

/**
 * Yields indices of requests that can be read together: of equal prompt length, because it determines the tree of a text,
 * and of similar length.
 */
export function* batches(requests: readonly Request[]): Generator<number[]> {
  const order = requests.map((_, index) => index);
  order.sort(
    (a, b) =>
      requests[a].promptLength - requests[b].promptLength || requests[a].ids.length - requests[b].ids.length,
  );
  let batch: number[] = [];
  for (const index of order) {
    const { promptLength, ids } = requests[index];
    const together = batch.length > 0 && requests[batch[0]].promptLength === promptLength;
    if (batch.length > 0 && (!together || (batch.length + 1) * ids.length > BATCH_TOKENS)) {
      yield batch;
      batch = [];
    }
    batch.push(index);
  }
  if (batch.length > 0) yield batch;
}
