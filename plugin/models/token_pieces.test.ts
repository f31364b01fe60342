import t from 'tap';
import { byteLevelPiece, plainPiece } from './token_pieces.js';

/** The visible characters that GPT-2 assigns to bytes: checked against its table at the ends of every range. */
const ALPHABET: readonly [character: string, byte: number][] = [
  ['!', 0x21],
  ['~', 0x7e],
  ['\u00a1', 0xa1],
  ['\u00ac', 0xac],
  ['\u00ae', 0xae],
  ['\u00ff', 0xff],
  ['\u0100', 0x00],
  ['\u010a', 0x0a],
  ['\u0120', 0x20],
  ['\u0121', 0x7f],
  ['\u0122', 0x80],
  ['\u0142', 0xa0],
  ['\u0143', 0xad],
];

t.test('the alphabet of bytes', async (t) => {
  for (const [character, byte] of ALPHABET) {
    const hex = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    const expected = byte < 0x80 ? String.fromCharCode(byte) : hex;
    t.equal(byteLevelPiece(character), expected, hex);
  }
});

t.test('whole characters are text, other bytes are written out', async (t) => {
  const shown = alphabet();
  const piece = (...bytes: number[]) => byteLevelPiece(bytes.map((byte) => shown[byte]).join(''));
  t.equal(byteLevelPiece('\u0120cat'), ' cat');
  t.equal(piece(0xc3, 0xa9), 'é');
  t.equal(piece(0xf0, 0x9f, 0x8c, 0xb3), '\u{1f333}');
  t.equal(piece(0x20, 0xf0, 0x9f), ' <0xF0><0x9F>', 'the beginning of a character');
  t.equal(piece(0x8c, 0xb3, 0x61), '<0x8C><0xB3>a', 'its end');
  t.equal(piece(0xef, 0xbb, 0xbf), '\ufeff', 'a byte order mark is kept');
  t.equal(byteLevelPiece(''), '');
  t.equal(byteLevelPiece('\u4f60'), '\u4f60', 'no bytes');
  t.equal(plainPiece('\u2581the'), ' the');
});

/** Derived differently than in the tested file: the characters of every byte, from the ends of the ranges. */
function alphabet(): string[] {
  const shown = new Array<string>(256);
  let next = 0;
  for (let byte = 0; byte < 256; byte++) {
    const itself = [
      [0x21, 0x7e],
      [0xa1, 0xac],
      [0xae, 0xff],
    ].some(([from, to]) => byte >= from && byte <= to);
    shown[byte] = itself ? String.fromCodePoint(byte) : String.fromCodePoint(0x100 + next++);
  }
  return shown;
}
