/** The files among which a case file lies. */
import type { CaseSource } from '../source.js';
import { bytesOf } from './case_file.js';

/** The other files, for cases that need two. */
export interface CaseFolder {
  readonly source: CaseSource;
  readonly paths: readonly string[];
  /** Notes that a file is used, so that it is not reported as unknown. */
  use(path: string): void;
}

/** The path of a file beside another. */
export function inFolder(path: string, file: string): string {
  return path.slice(0, path.lastIndexOf('/') + 1) + file;
}

/** A JSON document of the source, or undefined when it is none. */
export async function readJson({ source }: CaseFolder, path: string): Promise<unknown> {
  try {
    return JSON.parse(new TextDecoder().decode(await bytesOf(await source.open(path))));
  } catch {
    return undefined;
  }
}

/** The JSON documents beside a file. */
export async function jsonBeside(folder: CaseFolder, path: string): Promise<unknown[]> {
  const beside = folder.paths.filter(
    (each) => /\.json$/i.test(each) && inFolder(each, '') === inFolder(path, ''),
  );
  const documents = await Promise.all(beside.map((each) => readJson(folder, each)));
  return documents.filter((json) => typeof json === 'object' && json !== null);
}
