/** Images whose pixels are class indices: greyscale PNG files of 8 or 16 bits, as segmentation annotations are published. */
import { MAX_INPUT_PIXELS } from '../../plugin/image/rgb_image.js';
import { fileBytes, UnreadableImage } from './file_bytes.js';
import { decoderReason, loadSharp } from './sharp.js';

/** The class of each pixel, as stored in the file. */
export interface ClassMap {
  readonly width: number;
  readonly height: number;
  /** [height, width], row-major */
  readonly data: Uint8Array | Uint16Array;
}

/**
 * @param file a greyscale PNG; its values are neither scaled nor rotated by metadata in the file
 * @throws {Error} one line that names the file, if it cannot be read, is damaged, or has colours, a palette or fewer bits
 */
export async function readClassMap(file: string): Promise<ClassMap> {
  const sharp = await loadSharp();
  try {
    const bytes = await fileBytes(file);
    if (bytes.length === 0) throw new UnreadableImage('the file is empty');
    const source = sharp(bytes, { limitInputPixels: MAX_INPUT_PIXELS, failOn: 'error', ignoreIcc: true });
    const { format, channels, depth, isPalette, bitsPerSample = 8 } = await source.metadata();
    if (format !== 'png' || channels !== 1 || isPalette || bitsPerSample < 8) {
      const what = isPalette ? 'a palette' : `${channels} channels of ${bitsPerSample} bits, ${format}`;
      throw new UnreadableImage(`${what}, expected a grey PNG of 8 or 16 bits`);
    }
    const isWide = depth === 'ushort';
    const { data, info } = await source
      .toColourspace(isWide ? 'grey16' : 'b-w')
      .raw({ depth: isWide ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const values = isWide ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
    return { width: info.width, height: info.height, data: values };
  } catch (error) {
    const reason = error instanceof UnreadableImage ? error.message : decoderReason(error);
    throw new Error(`cannot read the classes of "${file}": ${reason}`);
  }
}
