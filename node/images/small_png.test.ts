/** Small PNG files: the same pixels as sharp's, and only complete, plain files. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import t from 'tap';
import { crc32 } from '../../converters/pytorch/crc32.js';
import { smallPng } from './small_png.js';

interface Given {
  width: number;
  height: number;
  colour: number;
  depth?: number;
  interlace?: number;
  /** Filter of each row. */
  filters?: readonly number[];
  /** Chunks between header and pixels. */
  chunks?: readonly [string, Buffer][];
  /** Number of chunks for the pixels. */
  parts?: number;
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG whose filtered bytes are arbitrary: with any filter they represent some pixels. */
function png({
  width,
  height,
  colour,
  depth = 8,
  interlace = 0,
  filters = [0],
  chunks = [],
  parts = 1,
}: Given) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, interlace], 8);
  const length = 1 + (width * CHANNELS[colour] * depth) / 8;
  const rows = Uint8Array.from({ length: height * length }, (_, i) =>
    i % length === 0 ? filters[Math.floor(i / length) % filters.length] : (i * 7919 + (i >> 3) * 31) & 255,
  );
  const packed = deflateSync(rows);
  const size = Math.ceil(packed.length / parts);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...chunks.map(([type, data]) => chunk(type, data)),
    ...Array.from({ length: parts }, (_, i) => chunk('IDAT', packed.subarray(i * size, (i + 1) * size))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const PLAIN: Given = { width: 9, height: 11, colour: 2, filters: [0, 1, 2, 3, 4] };

t.test('the pixels are those of the decoder', async (t) => {
  const gamma = Buffer.from([0, 1, 0x86, 0xa0]);
  const cases: Readonly<Record<string, Given>> = {
    ...Object.fromEntries(
      [0, 1, 2, 3, 4].map((filter) => [`filter ${filter}`, { ...PLAIN, filters: [filter] }]),
    ),
    ...Object.fromEntries([0, 2, 6].map((colour) => [`colour type ${colour}`, { ...PLAIN, colour }])),
    'one pixel': { width: 1, height: 1, colour: 2, filters: [4] },
    'the largest': { width: 128, height: 128, colour: 6, filters: [4, 3, 2, 1, 0] },
    'several chunks of pixels': { ...PLAIN, parts: 3 },
    'chunks that change no pixel': {
      ...PLAIN,
      chunks: [
        ['gAMA', gamma],
        ['sRGB', Buffer.from([0])],
        ['pHYs', Buffer.from([0, 0, 3, 232, 0, 0, 1, 244, 1])],
        ['tIME', Buffer.from([7, 234, 11, 27, 12, 0, 0])],
      ],
    },
  };
  for (const [name, given] of Object.entries(cases)) {
    const file = png(given);
    const image = smallPng(new Uint8Array(file));
    const expected = await sharp(file)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    t.match(image, { width: given.width, height: given.height }, name);
    const { data, info } = expected;
    const rgb = info.channels === 1 ? [...data].flatMap((value) => [value, value, value]) : data;
    t.ok(image && Buffer.from(rgb).equals(image.data), `${name}: pixels`);
  }
});

t.test('what is not plain is left to the decoder', (t) => {
  const cases: Readonly<Record<string, Given>> = {
    'more pixels': { ...PLAIN, width: 129, height: 128 },
    'no pixel': { ...PLAIN, width: 0 },
    'a palette': { ...PLAIN, colour: 3, chunks: [['PLTE', Buffer.alloc(768)]] },
    'grey with alpha': { ...PLAIN, colour: 4 },
    '16 bits': { ...PLAIN, depth: 16 },
    interlaced: { ...PLAIN, interlace: 1 },
    'a filter that is none': { ...PLAIN, filters: [5] },
    'an orientation': { ...PLAIN, chunks: [['eXIf', Buffer.alloc(8)]] },
    'a colour that is transparent': { ...PLAIN, chunks: [['tRNS', Buffer.alloc(6)]] },
    'a profile': { ...PLAIN, chunks: [['iCCP', Buffer.alloc(8)]] },
    'an animation': { ...PLAIN, chunks: [['acTL', Buffer.alloc(8)]] },
  };
  for (const [name, given] of Object.entries(cases)) t.equal(smallPng(png(given)), undefined, name);
  t.equal(smallPng(new Uint8Array()), undefined, 'no bytes');
  t.equal(smallPng(Buffer.from('\xff\xd8\xff\xe0', 'latin1')), undefined, 'a JPEG');
  t.end();
});

t.test('damage is left to the decoder, which says what it is', (t) => {
  const file = png({ ...PLAIN, parts: 2 });
  const read: string[] = [];
  for (let length = 0; length < file.length; length++) {
    if (smallPng(file.subarray(0, length))) read.push(`cut to ${length}`);
  }
  for (let i = 0; i < file.length; i++) {
    const damaged = Buffer.from(file);
    damaged[i] ^= 1 << (i % 8);
    if (smallPng(damaged)) read.push(`byte ${i}`);
  }
  t.same(read, []);
  t.equal(smallPng(Buffer.concat([file, Buffer.of(0)])), undefined, 'bytes behind the end');
  // Complete chunks with too few or too many rows.
  const header = Buffer.alloc(13);
  header.writeUInt32BE(9, 0);
  header.set([8, 2], 8);
  for (const height of [10, 12]) {
    header.writeUInt32BE(height, 4);
    const other = Buffer.concat([file.subarray(0, 8), chunk('IHDR', header), file.subarray(8 + 25)]);
    t.equal(smallPng(other), undefined, `${height} rows of 11`);
  }
  t.equal(
    smallPng(png({ ...PLAIN, chunks: [['pHYs', Buffer.alloc(5000)]] })),
    undefined,
    'many bytes for few pixels',
  );
  t.end();
});
