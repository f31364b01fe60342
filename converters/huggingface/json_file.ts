/** Small JSON files of an untrusted folder: size and nesting are bounded. */
import { isNestedTooDeeply, MAX_JSON_DEPTH } from '../../plugin/models/bounded_json.js';
import { isRecord } from '../../plugin/models/checks.js';
import { ArchitectureError } from '../errors.js';
import { quote } from '../pytorch/errors.js';
import type { SourceDirectory } from './source_directory.js';

/** Configurations take a few KB, an index of weights a few MB. */
const MAX_JSON_BYTES = 2 ** 24;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object in a JSON file, or undefined if the file does not exist. @throws {ArchitectureError} if it is not an object */
export async function readJsonObject(
  directory: SourceDirectory,
  file: string,
): Promise<JsonObject | undefined> {
  const source = await directory.open(file);
  if (!source) return undefined;
  if (source.size > MAX_JSON_BYTES) {
    throw new ArchitectureError(
      `${file} has ${source.size} bytes; at most ${MAX_JSON_BYTES} are read as JSON`,
    );
  }
  return parseJsonObject(await source.read(0, source.size), `${file} of ${directory.name}`);
}

/** Parses bytes as a JSON object. @throws {ArchitectureError} if they are not one, naming the file */
export function parseJsonObject(bytes: Uint8Array, file: string): JsonObject {
  const text = new TextDecoder().decode(bytes);
  if (text.startsWith('version https://git-lfs')) {
    throw new ArchitectureError(
      `${file} is a git-lfs pointer, not the file that it stands for; fetch that with "git lfs pull"`,
    );
  }
  if (isNestedTooDeeply(text)) {
    throw new ArchitectureError(`${file} has more than ${MAX_JSON_DEPTH} levels of nesting`);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ArchitectureError(`${file} is not JSON`);
  }
  if (!isRecord(json)) throw new ArchitectureError(`${file} holds no JSON object`);
  return json;
}

/** A JSON value on one line of a message: strings in quotes, lists and objects only by their type. */
export function showJson(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
