/** Inputs of commands: texts, images and models, from arguments, folders, standard input and the network. */
import { isUrl, modelSource } from '../model_source.js';
import { standardInput } from './terminal.js';

/** Maximum size of a text on standard input. */
const MAX_STANDARD_INPUT_BYTES = 2 ** 28;

export { isUrl, modelSource };

/** Loads a model, passes it to `use` and disposes of it afterwards. */
export async function withModel<M extends { dispose(): unknown }, T>(
  loading: Promise<M>,
  use: (model: M) => Promise<T>,
): Promise<T> {
  const model = await loading;
  try {
    return await use(model);
  } finally {
    model.dispose();
  }
}

/**
 * The text of an option, or for `-` the text on standard input, without the trailing line end.
 * @throws {Error} one line, if it is not UTF-8 or too long
 */
export async function textOf(option: string): Promise<string> {
  if (option !== '-') return option;
  return decodeUtf8(await readStandardInput()).replace(/\r?\n$/, '');
}

async function readStandardInput(): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of standardInput()) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_STANDARD_INPUT_BYTES) {
      throw new Error(`standard input has more than ${MAX_STANDARD_INPUT_BYTES} bytes; expected a text`);
    }
  }
  return Buffer.concat(pieces);
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('standard input is not UTF-8; expected a text');
  }
}
