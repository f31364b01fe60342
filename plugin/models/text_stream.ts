/** Decodes tokens as they are generated: handles characters that span several tokens, and stop strings. */

/** Stands for bytes that do not form a complete character yet. */
const REPLACEMENT = '\ufffd';

/** Tokens by which the window moves. It holds up to three times as many. */
const STRIDE = 16;

/**
 * Decodes a window of the last tokens, so that the cost of a token does not grow with the text. The text of a token may
 * depend on the tokens around it (a character of several bytes, a space that is dropped at the beginning), so windows
 * overlap, and the window moves only where the texts of both agree.
 */
export class TextStream {
  private window: number[] = [];
  /** Characters of the window's text that have been emitted. */
  private given = 0;
  /** Length at which the window moves. */
  private limit = 3 * STRIDE;
  private readonly pieces: string[] = [];
  /** Whether a stop string has been reached. */
  stopped = false;

  /**
   * @param stops strings before which the text ends.
   * @param unstable strings of which a beginning at the end of a text may change with the next token.
   */
  constructor(
    private readonly decode: (ids: readonly number[]) => string,
    private readonly stops: readonly string[],
    private readonly unstable: readonly string[] = [],
  ) {}

  /** The text emitted so far, up to the first stop string. */
  get text(): string {
    return this.pieces.join('');
  }

  /**
   * Adds a token.
   * @returns the text that is now final; after the last token, all remaining text
   */
  push(id: number, isLast: (stopped: boolean) => boolean): string {
    this.window.push(id);
    const text = this.decode(this.window);
    // A stop string can only begin in text not yet emitted, since possible beginnings are held back.
    const cut = this.stops.map((stop) => text.indexOf(stop, this.given)).filter((at) => at >= 0);
    this.stopped = cut.length > 0;
    const ended = this.stopped ? text.slice(0, Math.min(...cut)) : text;
    const certain = isLast(this.stopped) ? ended.length : ended.length - this.uncertain(ended);
    const piece = ended.slice(this.given, Math.max(certain, this.given));
    this.given += piece.length;
    this.pieces.push(piece);
    if (this.window.length >= this.limit) this.moveOn(text);
    return piece;
  }

  /** Returns the number of characters at the end that may still change, or may begin a stop string. */
  private uncertain(text: string): number {
    let held = 0;
    while (held < 4 && text[text.length - 1 - held] === REPLACEMENT) held++;
    for (const string of [...this.stops, ...this.unstable]) {
      for (let length = Math.min(string.length - 1, text.length); length > held; length--) {
        if (text.endsWith(string.slice(0, length))) held = length;
      }
    }
    return held;
  }

  private moveOn(text: string): void {
    const next = this.window.slice(STRIDE);
    const nextText = this.decode(next);
    const [same, sameNext] = [text, nextText].map((each) => each.length);
    let agreed = 0;
    while (agreed < sameNext && text[same - 1 - agreed] === nextText[sameNext - 1 - agreed]) agreed++;
    // Differences must lie in the first tokens of the new window, in text that has been emitted.
    const head = this.decode(next.slice(0, STRIDE)).length;
    const isLocal = sameNext - agreed <= head && this.given >= same - agreed;
    if (isLocal) {
      this.given -= same - sameNext;
      this.window = next;
      this.limit = 3 * STRIDE;
    } else this.limit = 2 * this.window.length;
  }
}
