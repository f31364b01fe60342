/** Small JSON files of a folder, read with a limit: they come from strangers. */
import { ArchitectureError } from '../errors.js';
import type { SourceDirectory } from './source_directory.js';

/** Configurations are a few KB, an index of weights a few MB. */
const MAX_JSON_BYTES = 2 ** 24;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object in a JSON file, or undefined where there is no such file. @throws {ArchitectureError} if it is none */
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
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(await source.read(0, source.size)));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ArchitectureError(`${file} of ${directory.name} is not JSON`);
  }
  if (!isObject(json)) throw new ArchitectureError(`${file} of ${directory.name} holds no JSON object`);
  return json;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
