/** Identifies a model: the SHA-256 of the concatenation of its JSON and its shards. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { parseModelJson } from '../plugin/models/model_json.js';
import { requestReason } from '../plugin/request_reason.js';
import { modelFiles } from './file_system.js';
import { isUrl, modelSource } from './model_source.js';
import { cannotOpen } from './system_error.js';

/** A model at the time when its digest was computed. */
export interface ModelIdentity {
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** Whether none of its files has been written since; always true for a model at a URL, where this is unknown. */
  isUntouched(): Promise<boolean>;
}

/**
 * Reads a model once, one part at a time.
 * @param model its folder, the path of its JSON, or the URL of either
 * @throws {Error} one line that names the file, if one is missing or cannot be read
 */
export async function identifyModel(model: string): Promise<ModelIdentity> {
  const hash = createHash('sha256');
  if (isUrl(model)) {
    await digestUrl(hash, String(await modelSource(model)));
    return { digest: hash.digest('hex'), isUntouched: async () => true };
  }
  const files = await modelFiles(model);
  const stamp = await stampOf(files);
  for (const file of files) await digestFile(hash, file);
  const digest = hash.digest('hex');
  const isUntouched = async () => (await stampOf(files).catch(() => undefined)) === stamp;
  if (!(await isUntouched())) throw new Error(`${files[0]}: the model is being written`);
  return { digest, isUntouched };
}

async function stampOf(files: readonly string[]): Promise<string> {
  const stamps = await Promise.all(
    files.map(async (file) => {
      const { size, mtimeNs, ctimeNs, ino } = await stat(file, { bigint: true });
      return [file, size, mtimeNs, ctimeNs, ino].join(' ');
    }),
  );
  return stamps.join('\n');
}

async function digestFile(hash: Hash, file: string): Promise<void> {
  try {
    for await (const bytes of createReadStream(file)) hash.update(bytes);
  } catch (error) {
    throw cannotOpen(file, error);
  }
}

async function digestUrl(hash: Hash, url: string): Promise<void> {
  const pieces: Uint8Array[] = [];
  await fetchInto(url, (bytes) => {
    pieces.push(bytes);
    hash.update(bytes);
  });
  const { weightsManifest } = parseModelJson(Buffer.concat(pieces).toString(), url);
  for (const path of weightsManifest.flatMap(({ paths }) => paths)) {
    const shard = new URL(path, url);
    shard.search = new URL(url).search;
    await fetchInto(shard.href, (bytes) => hash.update(bytes));
  }
}

async function fetchInto(url: string, take: (bytes: Uint8Array) => void): Promise<void> {
  const response = await fetch(url).catch((error) => {
    throw new Error(`${url}: cannot be fetched (${requestReason(error)})`);
  });
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
  for await (const bytes of response.body ?? []) take(bytes);
}
