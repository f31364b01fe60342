/** Access to the other files of the source of a case file. */
import type { CaseSource } from '../source.js';
import { bytesOf } from './case_file.js';

/** The other files, for cases that need more than one. */
export interface CaseFolder {
  readonly source: CaseSource;
  readonly paths: readonly string[];
  /** Marks a file as used, so that it is not reported as unknown. */
  use(path: string): void;
}

/** The path of a file in the same folder as another. */
export function inFolder(path: string, file: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1) + file;
}

/** A JSON document of the source, or undefined if it is not valid JSON. */
export async function readJson({ source }: CaseFolder, path: string): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(await bytesOf(await source.open(path))));
  } catch {
    return undefined;
  }
}

/** The JSON documents in the same folder as a file. */
export async function jsonBeside(folder: CaseFolder, path: string): Promise<unknown[]> {
  const beside = folder.paths.filter(
    (each) => /\.json$/i.test(each) && inFolder(each, '') === inFolder(path, ''),
  );
  const documents = await Promise.all(beside.map((each) => readJson(folder, each)));
  return documents.filter((json) => typeof json === 'object' && json !== null);
}
