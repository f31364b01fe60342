/** What scoring a text takes and gives, and which requests are read together. */

/** How likely a continuation is after a context. */
export interface Score {
  /** Natural logarithm of its probability. */
  readonly logprob: number;
  /** Whether each of its tokens is the most probable one. */
  readonly isGreedy: boolean;
  readonly tokens: readonly { readonly id: number; readonly logprob: number }[];
}

/** How well the model predicts a text. */
export interface Perplexity {
  /** exp(-logprob / scoredTokens). */
  readonly perplexity: number;
  /** Natural logarithm of the probability of all scored tokens. */
  readonly logprob: number;
  readonly scoredTokens: number;
}

/** Token ids to read, and how many of them, at the end, to score. */
export interface Request {
  readonly ids: readonly number[];
  readonly promptLength: number;
  readonly scored: number;
}

/** White space of Python, which the evaluation harness strips. */
export const TRAILING_SPACE = /(?:(?!\ufeff)[\s\u0085])+$/;

/** Rows of a batch, in tokens, that are read at once. */
const BATCH_TOKENS = 2048;

/**
 * Indices of requests that can be read together: of one prompt length, because that decides which tree a text has, and
 * of similar length.
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
