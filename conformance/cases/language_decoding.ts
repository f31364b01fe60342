/** Decoding: a text processed token by token with `decode.json` gives the same as the text processed as a whole. */
import type { GraphModel } from '@tensorflow/tfjs-converter';
import { dispose, scalar, type Tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { decodingBound } from '../bounds.js';
import { type ProgramCase, programCase } from '../case.js';
import { comparison, judge } from '../verdict.js';
import { familyOf, type LanguageCheckpoint, type Scan } from './language_checkpoint.js';

/** Maximum number of decoded tokens per text: a GPU takes as long for each as for the whole text. */
const DECODED_TOKENS = 16;

export interface DecodingSource {
  readonly name: string;
  readonly ids: readonly number[];
  readonly promptLength: number;
  readonly scan: Scan;
  readonly checkpoint: LanguageCheckpoint;
}

/** The prompt as a whole and the rest token by token, against the whole text at once. */
export function decodingCase({ name, ids, promptLength, scan, checkpoint }: DecodingSource): ProgramCase {
  const text = ids.slice(0, promptLength + DECODED_TOKENS);
  return programCase(`${name}, P = ${promptLength}`, `${familyOf(scan)} decoding`, ({ tolerance }) =>
    checkpoint.useDecoder(scan, async (prefill, decode) => {
      const expected = await logitsOfText(prefill, text, promptLength);
      const given = await logitsTokenByToken(prefill, decode, text, promptLength);
      return judge([comparison('logits', given, expected, decodingBound(tolerance))]);
    }),
  );
}

async function logitsOfText(
  model: GraphModel,
  ids: readonly number[],
  promptLength: number,
): Promise<Float32Array> {
  const logits = tidy(() => model.execute(textTensors(ids, promptLength), 'logits') as Tensor);
  return read(logits);
}

/** The prompt, or the first token if there is none, and then token by token. */
async function logitsTokenByToken(
  prefill: GraphModel,
  decode: GraphModel,
  ids: readonly number[],
  promptLength: number,
): Promise<Float32Array> {
  const states = decode.inputs.map(({ name }) => name).filter((name) => name !== 'input_ids');
  const first = Math.max(1, promptLength);
  let [logits, ...values] = tidy(
    () => prefill.execute(textTensors(ids.slice(0, first), promptLength), ['logits', ...states]) as Tensor[],
  );
  const parts = [await read(logits)];
  for (const id of ids.slice(first)) {
    const before = values;
    [logits, ...values] = tidy(() => {
      const feeds = Object.fromEntries(states.map((name, i) => [name, before[i]]));
      const input_ids = tensor2d([id], [1, 1], 'int32');
      return decode.execute({ input_ids, ...feeds }, [
        'logits',
        ...states.map((name) => `next_${name}`),
      ]) as Tensor[];
    });
    dispose(before);
    parts.push(await read(logits));
  }
  dispose(values);
  const all = new Float32Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function textTensors(ids: readonly number[], promptLength: number) {
  return {
    input_ids: tensor2d([...ids], [1, ids.length], 'int32'),
    prompt_length: scalar(promptLength, 'int32'),
  };
}

/** Reads a tensor and disposes of it. */
async function read(tensor: Tensor): Promise<Float32Array> {
  const values = (await tensor.data()) as Float32Array;
  tensor.dispose();
  return values;
}
