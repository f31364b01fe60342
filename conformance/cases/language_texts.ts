/**
 * JSON of a language model's results for texts: tokens, greedy continuations, log probabilities of continuations, and perplexity.
 */

import { EXACT } from '../../plugin/ops/spec/bound.js';
import { itemsOf } from '../../plugin/ops/spec/tensor.js';
import { greedyTie, scoreBound } from '../bounds.js';
import {
  type CaseTensor,
  type ConformanceCase,
  type ProgramCase,
  programCase,
  skippedCase,
} from '../case.js';
import type { Judgement } from '../judgement.js';
import { stem } from '../source.js';
import { type Comparison, combine, comparison, fail, judge, show } from '../verdict.js';
import { type CaseFolder, inFolder } from './case_folder.js';
import { checkpointsAt, familyOf, type LanguageCheckpoint, type Scan } from './language_checkpoint.js';
import { decodingCase } from './language_decoding.js';
import { textFeeds } from './language_model_file.js';

const SCANS = ['tree', 'chain'] as const;

/** Fields of the file; some have different names for the plain chain. */
export interface Texts {
  readonly tokenizer?: readonly {
    readonly text: string;
    readonly ids: number[];
    readonly decoded?: string;
  }[];
  readonly greedy?: readonly Greedy[];
  readonly loglikelihood?: readonly Likelihood[];
  readonly loglikelihood_batched?: {
    readonly context_len_used: number;
    readonly padded_length: number;
    readonly pad_id: number;
    readonly rows: readonly { context: string; continuation: string; sum_logprob: number }[];
  };
  readonly perplexity?: {
    readonly text: string;
    readonly num_tokens: number;
    readonly window: number;
    readonly context_len: number;
    readonly tree: { readonly total_nll: number; readonly scored_tokens: number };
    readonly chain: { readonly total_nll: number; readonly scored_tokens: number };
    readonly rolling?: {
      readonly tokens: number;
      readonly sum_logprob: number;
      readonly plain_chain_sum_logprob: number;
    };
  };
}

interface Greedy {
  readonly prompt: string;
  readonly prompt_ids: number[];
  readonly context_len: number;
  readonly tree_ids: number[];
  readonly tree_text?: string;
  /** Lead of the chosen token in each step. */
  readonly margins?: number[];
  readonly logprobs?: number[];
  readonly chain_ids?: number[];
  readonly chain_text?: string;
  readonly chain_min_margin?: number;
}

interface Likelihood {
  readonly context: string;
  readonly continuation: string;
  readonly context_ids: number[];
  readonly continuation_ids: number[];
  readonly tree_sum_logprob: number;
  readonly tree_is_greedy?: boolean;
  readonly tree_token_logprobs?: number[];
  readonly chain_sum_logprob?: number;
  readonly chain_is_greedy?: boolean;
}

/** Whether a JSON document is of this kind. */
export function isTexts(json: unknown): json is Texts {
  const { greedy, loglikelihood } = (json ?? {}) as { greedy?: unknown; loglikelihood?: unknown };
  return [greedy, loglikelihood].some(
    (list) =>
      Array.isArray(list) && list.length > 0 && ('prompt_ids' in list[0] || 'continuation_ids' in list[0]),
  );
}

export async function textsCases(json: Texts, path: string, folder: CaseFolder): Promise<ConformanceCase[]> {
  // Other weight files are compared by their logits.
  const [checkpoint] = await checkpointsAt(inFolder(path, ''), folder);
  if (!checkpoint) {
    const reason = `no Mamba model beside ${path}`;
    return [skippedCase(stem(path), 'GrootL greedy text', reason)];
  }
  const cases: ConformanceCase[] = [];
  if (json.tokenizer) cases.push(tokenizerCase(json.tokenizer, checkpoint));
  for (const scan of SCANS) {
    for (const [i, greedy] of (json.greedy ?? []).entries()) {
      if (greedy[`${scan}_ids`]) cases.push(greedyCase(greedy, i, scan, checkpoint));
      const { context_len, prompt, prompt_ids, tree_ids } = greedy;
      const text = { name: `${i} ${quoted(prompt)}`, ids: [...prompt_ids, ...tree_ids], scan, checkpoint };
      // Decoding does not depend on the tree: for the plain chain one text is enough.
      if (scan === 'tree' || i === 0) cases.push(decodingCase({ ...text, promptLength: context_len }));
      // Without alternative trees, and with most of the prompt token by token.
      if (i === 0) cases.push(decodingCase({ ...text, promptLength: 1 }));
    }
    const scored = (json.loglikelihood ?? []).filter((each) => each[`${scan}_sum_logprob`] !== undefined);
    if (scored.length > 0) cases.push(scoresCase(scored, scan, checkpoint));
    if (json.perplexity) cases.push(...perplexityCases(json.perplexity, scan, checkpoint));
  }
  if (json.loglikelihood_batched) cases.push(paddedCase(json, json.loglikelihood_batched, checkpoint));
  return cases;
}

function program(op: string, name: string, scan: Scan, run: ProgramCase['run']): ProgramCase {
  return programCase(name, `${familyOf(scan)} ${op}`, run);
}

function tokenizerCase(texts: NonNullable<Texts['tokenizer']>, checkpoint: LanguageCheckpoint): ProgramCase {
  return program('tokens', `${texts.length} texts of ${checkpoint.name}`, 'tree', () =>
    checkpoint.useModel('tree', async ({ tokenizer }) => {
      if (!tokenizer) return fail('the model has no tokenizer');
      for (const { decoded, ids, text } of texts) {
        const given = decoded === undefined ? undefined : tokenizer.decode(ids);
        if (given !== decoded)
          return fail(`ids of ${quoted(text)} give ${quoted(given)}, expected ${quoted(decoded)}`);
      }
      return judge(
        texts.map(({ text, ids }) =>
          comparison(`ids of ${quoted(text)}`, tokenizer.encode(text), ids, EXACT),
        ),
      );
    }),
  );
}

/** The beginning of a text, for names and reasons. */
function quoted(text: string | undefined): string {
  return JSON.stringify(text !== undefined && text.length > 30 ? `${text.slice(0, 30)}...` : text);
}

/** The tokens of the reference; where its two most probable tokens are too close for the backend, a near tie. */
function greedyCase(greedy: Greedy, index: number, scan: Scan, checkpoint: LanguageCheckpoint): ProgramCase {
  const { prompt, prompt_ids } = greedy;
  const expected = greedy[`${scan}_ids`] as number[];
  const text = greedy[`${scan}_text`];
  return program('greedy text', `${index} ${quoted(prompt)}`, scan, ({ tolerance }) =>
    checkpoint.useModel(scan, async (model) => {
      const atEnd = expected[expected.length - 1] === model.metadata.tokens.endOfText;
      // At an end-of-text token it stops by itself.
      const stream = model.stream(model.tokenizer ? prompt : prompt_ids, {
        maxTokens: expected.length + (atEnd ? 1 : 0),
      });
      const [tokens, logprobs]: number[][] = [[], []];
      let next = await stream.next();
      for (; !next.done; next = await stream.next()) {
        tokens.push(next.value.id);
        logprobs.push(next.value.logprob);
      }
      const step = expected.findIndex((id, i) => tokens[i] !== id);
      const margin = scan === 'tree' ? greedy.margins?.[step] : greedy.chain_min_margin;
      const comparisons: Comparison[] = [
        comparison('tokens of the prompt', next.value.promptTokens, prompt_ids, EXACT),
        comparison('tokens', tokens, expected, EXACT),
      ];
      if (scan === 'tree' && greedy.logprobs) {
        const bound = scoreBound(tolerance);
        comparisons.push(comparison('log-probabilities', logprobs, greedy.logprobs, bound));
      }
      const judgement = judge(comparisons);
      if (step >= 0 && margin !== undefined && margin <= greedyTie(tolerance)) {
        const reason = `token ${step} leads by ${show(margin)} in the reference; ${judgement.reason}`;
        return { ...judgement, verdict: 'tie-flip', reason, margin };
      }
      if (step < 0 && text !== undefined && model.tokenizer && next.value.text !== text) {
        return fail(`the text is ${quoted(next.value.text)}, expected ${quoted(text)}`);
      }
      return judgement;
    }),
  );
}

function scoresCase(
  expected: readonly Likelihood[],
  scan: Scan,
  checkpoint: LanguageCheckpoint,
): ProgramCase {
  return program('scores', `${expected.length} continuations`, scan, ({ tolerance }) =>
    checkpoint.useModel(scan, async (model) => {
      const scores = await model.scoreAll(expected);
      const bound = scoreBound(tolerance);
      return judge(
        expected.flatMap((each, i): Comparison[] => {
          const { logprob, isGreedy, tokens } = scores[i];
          const what = `${quoted(each.continuation)} after ${quoted(each.context.slice(-25))}`;
          const comparisons: Comparison[] = [
            comparison(
              `tokens of ${what}`,
              tokens.map(({ id }) => id),
              each.continuation_ids,
              EXACT,
            ),
            comparison(`sum of ${what}`, [logprob], [each[`${scan}_sum_logprob`] as number], bound),
          ];
          const greedy = each[`${scan}_is_greedy`];
          if (greedy !== undefined) {
            const expected = [Number(greedy)];
            comparisons.push(comparison(`greedy: ${what}`, [Number(isGreedy)], expected, EXACT));
          }
          if (scan === 'tree' && each.tree_token_logprobs) {
            const given = tokens.map(({ logprob }) => logprob);
            comparisons.push(comparison(`tokens of ${what}`, given, each.tree_token_logprobs, bound));
          }
          return comparisons;
        }),
      );
    }),
  );
}

/** Several requests in one batch, padded at the end, with the minimum of their prompt lengths. */
function paddedCase(
  { loglikelihood = [] }: Texts,
  { rows: expected, context_len_used, padded_length, pad_id }: NonNullable<Texts['loglikelihood_batched']>,
  checkpoint: LanguageCheckpoint,
): ProgramCase {
  return program('scores', `${expected.length} continuations in one batch`, 'tree', ({ tolerance }) =>
    checkpoint.useGraph('tree', async (graph) => {
      const requests = expected.map(({ context, continuation }) => {
        const found = loglikelihood.find(
          (each) => each.context === context && each.continuation === continuation,
        );
        if (!found)
          throw new Error(`the file has no token ids of ${quoted(context)} and ${quoted(continuation)}`);
        return { first: found.context_ids.length, ids: [...found.context_ids, ...found.continuation_ids] };
      });
      const texts = requests.map(({ ids }) =>
        Array.from({ length: padded_length }, (_, t) => (t < ids.length - 1 ? ids[t] : pad_id)),
      );
      const results = await graph.run(textFeeds(texts, context_len_used), ['logits']);
      const logits = results.get('logits') as CaseTensor;
      const width = logits.shape[2];
      const judgements = requests.map(({ first, ids }, b): Judgement => {
        const row = itemsOf(logits)[b];
        let sum = 0;
        for (let t = first; t < ids.length; t++) {
          sum += logProbability(row.subarray((t - 1) * width, t * width), ids[t]);
        }
        const tensor = `sum of row ${b}`;
        return judge([comparison(tensor, [sum], [expected[b].sum_logprob], scoreBound(tolerance))]);
      });
      return combine(judgements);
    }),
  );
}

function logProbability(logits: ArrayLike<number>, id: number): number {
  const values = Array.from(logits);
  const top = Math.max(...values);
  return values[id] - top - Math.log(values.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
}

function perplexityCases(
  { text, window, context_len, num_tokens, rolling, ...totals }: NonNullable<Texts['perplexity']>,
  scan: Scan,
  checkpoint: LanguageCheckpoint,
): ProgramCase[] {
  const { total_nll, scored_tokens } = totals[scan];
  const windows = program('perplexity', `windows of ${window} tokens`, scan, ({ tolerance }) =>
    checkpoint.useModel(scan, async (model) => {
      const { logprob, scoredTokens } = await model.perplexity(text, { window, promptLength: context_len });
      return judge([
        comparison('scored tokens', [scoredTokens], [scored_tokens], EXACT),
        comparison('sum of log-probabilities', [logprob], [-total_nll], scoreBound(tolerance)),
      ]);
    }),
  );
  if (!rolling) return [windows];
  const expected = scan === 'tree' ? rolling.sum_logprob : rolling.plain_chain_sum_logprob;
  const all = program('perplexity', `${rolling.tokens} tokens, all scored`, scan, ({ tolerance }) =>
    checkpoint.useModel(scan, async (model) => {
      const ids = model.tokenizer?.encode(text, { specialTokens: false }) ?? [];
      const { logprob } = await model.perplexity(ids.slice(0, rolling.tokens), {});
      return judge([
        comparison('tokens of the text', [ids.length], [num_tokens], EXACT),
        comparison('sum of log-probabilities', [logprob], [expected], scoreBound(tolerance)),
      ]);
    }),
  );
  return [windows, all];
}
