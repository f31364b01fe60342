/** Instruction data of language models: rows of a file, and the labels of their tokens. */
import { options as checkOptions, integer, isRecord, quote, show } from '../models/checks.js';
import type { TextTokenizer } from '../models/text_tokenizer.js';

/** The label of tokens that are not trained on, as in PyTorch. */
export const IGNORED_LABEL = -100;

/** A prompt and the completion to train on. */
export interface Instruction {
  readonly prompt: string;
  readonly completion: string;
}

/** A text that a language model is trained on. */
export interface TextExample {
  readonly ids: readonly number[];
  /** One per token: its id if it is trained on, else -100. */
  readonly labels: readonly number[];
}

/** A row that cannot be used, counted from 1, and the reason. */
export interface BadRow {
  readonly row: number;
  readonly reason: string;
}

/** Maximum characters of one row. */
const MAX_ROW = 2 ** 24;

/**
 * Parses the rows of a file: one JSON object per line, or one JSON array of them. Either `instruction`, `input` (may be
 * missing or empty) and `output`, as in the Alpaca data, or `prompt` and `completion`, whose texts are used unchanged. Empty
 * lines are skipped.
 */
export function parseInstructions(text: string): {
  readonly rows: readonly (Instruction & { readonly row: number })[];
  readonly bad: readonly BadRow[];
} {
  const rows: (Instruction & { row: number })[] = [];
  const bad: BadRow[] = [];
  for (const [row, json] of rowsOf(text)) {
    try {
      rows.push({ row, ...instructionOf(typeof json === 'string' ? parseRow(json) : json.value) });
    } catch (error) {
      bad.push({ row, reason: (error as Error).message });
    }
  }
  return { rows, bad };
}

/** Returns lines with their numbers, or the values of one array. */
function rowsOf(text: string): [row: number, json: string | { value: unknown }][] {
  const plain = text.replace(/^\ufeff/, '');
  if (/^\s*\[/.test(plain)) {
    let list: unknown;
    try {
      list = JSON.parse(plain);
    } catch {
      // The line may also be an array, which is then reported as an invalid row.
    }
    if (Array.isArray(list)) return list.map((value, i) => [i + 1, { value }]);
  }
  return plain
    .split(/\r?\n/)
    .map((line, i): [number, string] => [i + 1, line])
    .filter(([, line]) => line.trim() !== '');
}

function parseRow(line: string): unknown {
  if (line.length > MAX_ROW) throw new Error(`has ${line.length} characters, expected at most ${MAX_ROW}`);
  try {
    return JSON.parse(line);
  } catch {
    throw new Error('is not JSON');
  }
}

function instructionOf(json: unknown): Instruction {
  if (!isRecord(json)) throw new Error(`is ${show(json)}, expected an object`);
  if (Object.hasOwn(json, 'prompt') || Object.hasOwn(json, 'completion')) {
    return { prompt: textIn(json, 'prompt'), completion: textIn(json, 'completion') };
  }
  const instruction = textIn(json, 'instruction');
  const input = json.input === undefined || json.input === null ? '' : textIn(json, 'input', true);
  return { prompt: instructionPrompt(instruction, input), completion: textIn(json, 'output') };
}

function textIn(json: Record<string, unknown>, field: string, mayBeEmpty = false): string {
  const value = Object.hasOwn(json, field) ? json[field] : undefined;
  if (typeof value !== 'string') {
    const expected = 'expected texts "instruction", "input" and "output", or "prompt" and "completion"';
    const given = value === undefined ? `has no ${quote(field)}` : `has ${show(value)} as ${quote(field)}`;
    throw new Error(`${given}, ${expected}`);
  }
  if (value === '' && !mayBeEmpty) throw new Error(`has an empty text as ${quote(field)}`);
  return value;
}

/** The authors' template for the text before an answer. */
export function instructionPrompt(instruction: string, input = ''): string {
  const context = input === '' ? '' : `### Input:\n${input}\n\n`;
  return `### Instruction:\n${instruction}\n\n${context}### Response:`;
}

/**
 * Encodes a prompt with its completion and the end-of-text token; the prompt's tokens are not trained on. Prompt and
 * completion are tokenized together, like generated text.
 * @param options.endOfText omitted if the model has none
 * @param options.maxLength maximum number of tokens; the rest is cut off. Default 2048
 * @throws {Error} if no token is left to train on.
 */
export function encodeInstruction(
  tokenizer: TextTokenizer,
  { prompt, completion }: Instruction,
  options: { readonly endOfText?: number | null; readonly maxLength?: number } = {},
): TextExample {
  checkOptions(options, 'encodeInstruction', { maxLength: integer(2) });
  const { endOfText, maxLength = 2048 } = options;
  const all = tokenizer.encode(prompt + completion);
  if (typeof endOfText === 'number') all.push(endOfText);
  const ids = all.slice(0, maxLength);
  // The first token of a text cannot be predicted.
  const unlearnt = Math.max(1, tokenizer.encode(prompt).length);
  if (unlearnt >= ids.length) {
    throw new Error(
      `has a prompt of ${unlearnt} tokens, expected fewer than ${maxLength}, the most of a text`,
    );
  }
  return { ids, labels: ids.map((id, i) => (i < unlearnt ? IGNORED_LABEL : id)) };
}
