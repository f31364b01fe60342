/** Loads sharp when an image is read or written: the rest of the package works without it. */
import { MAX_INPUT_PIXELS } from '../../plugin/image/rgb_image.js';

/** @throws {Error} one line that says what to install, if sharp is missing or does not load */
export async function loadSharp(): Promise<typeof import('sharp')['default']> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    const message = (cause as Error).message.split('\n')[0];
    throw new Error(`images need the package sharp (npm install sharp), which did not load: ${message}`, {
      cause,
    });
  }
}

/** Why sharp could not decode an image, as one plain line. */
export function decoderReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const line = message.replace(/\s+/g, ' ').replace(/[ :]+$/, '');
  if (line.includes('unsupported image format')) return 'not an image in a known format';
  if (line.includes('exceeds pixel limit'))
    return `more than ${MAX_INPUT_PIXELS} pixels, which is the most that are read`;
  return `damaged or truncated (${line})`;
}
