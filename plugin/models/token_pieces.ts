/** Readable text of single tokens: a token may be a part of a character. */

/** Byte-level tokenizers write every byte as one visible character (GPT-2, `bytes_to_unicode`). */
const BYTE_OF: ReadonlyMap<string, number> = new Map(
  (function* () {
    let substitute = 256;
    for (let byte = 0; byte < 256; byte++) {
      const isVisible = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
      yield [String.fromCharCode(isVisible ? byte : substitute++), byte] as const;
    }
  })(),
);

/** Returns the text of a byte-level token; bytes that do not form a character as `<0xE2>`. */
export function byteLevelPiece(token: string): string {
  const bytes = Array.from(token, (character) => BYTE_OF.get(character));
  if (!bytes.every((byte) => byte !== undefined)) return token;
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const character = characterAt(bytes, at);
    text += character ?? `<0x${bytes[at].toString(16).toUpperCase().padStart(2, '0')}>`;
    at += character === undefined ? 1 : bytesOf(character);
  }
  return text;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function characterAt(bytes: readonly number[], at: number): string | undefined {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    try {
      return UTF8.decode(Uint8Array.from(bytes.slice(at, at + length)));
    } catch {
      // No character has this length.
    }
  }
  return undefined;
}

function bytesOf(character: string): number {
  return new TextEncoder().encode(character).length;
}

/** Returns the text of a token of other tokenizers, which write a space as U+2581. */
export function plainPiece(token: string): string {
  return token.replaceAll('\u2581', ' ');
}
