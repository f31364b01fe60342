/** Picture files: what the ending of their name says. */
import { extname } from 'node:path';
import { writeFileAtomically } from './atomic_file.js';
import { loadSharp } from './images/sharp.js';

const FORMATS = { '.png': 'png', '.jpg': 'jpeg', '.jpeg': 'jpeg', '.webp': 'webp' } as const;
type Format = (typeof FORMATS)[keyof typeof FORMATS];

/**
 * The format that the ending of a path names; PNG without one, as pipes and devices have none.
 * @throws {Error} one line, for any other ending
 */
export function pictureFormat(path: string): Format {
  const ending = extname(path).toLowerCase();
  if (ending === '' || ending === '.') return 'png';
  const format = Object.entries(FORMATS).find(([name]) => name === ending)?.[1];
  if (format) return format;
  throw new Error(
    `cannot write a picture as ${ending}; expected a name that ends in ${Object.keys(FORMATS).join(', ')}`,
  );
}

/**
 * Writes a picture to `path`, as {@link writeFileAtomically} does.
 * @param png the bytes of a PNG file
 * @throws {Error} one line, for an ending that names no format, or when writing fails
 */
export async function writePicture(path: string, png: Uint8Array): Promise<void> {
  const format = pictureFormat(path);
  if (format === 'png') return writeFileAtomically(path, png);
  const sharp = await loadSharp();
  const picture = sharp(png);
  // Drawings have thin coloured lines, which subsampled colour would blur.
  const encoded =
    format === 'jpeg'
      ? picture.jpeg({ quality: 92, chromaSubsampling: '4:4:4' })
      : picture.webp({ quality: 92 });
  return writeFileAtomically(path, await encoded.toBuffer());
}
