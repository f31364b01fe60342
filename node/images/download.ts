/** Downloads images from URLs. */
import { requestReason } from '../../plugin/request_reason.js';
import { checkSize, UnreadableImage } from './file_bytes.js';

/** Milliseconds without data after which a download is given up. */
const SILENCE_MS = 30_000;

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  readonly silenceMs?: number;
}

/** The bytes at a URL. @throws {UnreadableImage} if there are none, or more than MAX_FILE_BYTES */
export async function download(
  url: URL,
  { signal, silenceMs = SILENCE_MS }: DownloadOptions = {},
): Promise<Uint8Array> {
  const ending = new AbortController();
  const end = () => ending.abort();
  let isSilent = false;
  const timer = setTimeout(() => {
    isSilent = true;
    end();
  }, silenceMs);
  signal?.addEventListener('abort', end);
  try {
    signal?.throwIfAborted();
    const response = await fetch(url, { signal: ending.signal });
    if (!response.ok) throw new UnreadableImage(`the server answered ${response.status}`);
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (const reader = response.body?.getReader(); reader; ) {
      const { done, value } = await reader.read();
      if (done) break;
      timer.refresh();
      size += value.length;
      checkSize(size);
      chunks.push(value);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof UnreadableImage) throw error;
    if (isSilent) throw new UnreadableImage(`the server has sent nothing for ${silenceMs / 1000} s`);
    throw new UnreadableImage(`it cannot be fetched (${requestReason(error)})`);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
    end(); // for a response that was not read to its end
  }
}
