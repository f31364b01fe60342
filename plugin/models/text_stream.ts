/** The text of tokens as they come: characters that span several tokens, and strings at which to stop. */

/** Stands for bytes that are no whole character yet. */
const REPLACEMENT = '\ufffd';

export class TextStream {
  private readonly ids: number[] = [];
  private given = 0;
  /** The text so far, up to the first stop string. */
  text = '';
  /** Whether a stop string has come. */
  stopped = false;

  constructor(
    private readonly decode: (ids: readonly number[]) => string,
    private readonly stops: readonly string[],
  ) {}

  /** Takes a token. @returns the text that is now certain; all that is left after the last token. */
  push(id: number, isLast: (stopped: boolean) => boolean): string {
    this.ids.push(id);
    const text = this.decode(this.ids);
    const cut = this.stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    this.stopped = cut.length > 0;
    this.text = this.stopped ? text.slice(0, Math.min(...cut)) : text;
    const certain = isLast(this.stopped) ? this.text.length : this.text.length - this.uncertain();
    const piece = this.text.slice(this.given, Math.max(certain, this.given));
    this.given += piece.length;
    return piece;
  }

  /** How many characters at the end may still change, or be the beginning of a stop string. */
  private uncertain(): number {
    let held = 0;
    while (held < 4 && this.text[this.text.length - 1 - held] === REPLACEMENT) held++;
    for (const stop of this.stops) {
      for (let length = Math.min(stop.length - 1, this.text.length); length > held; length--) {
        if (this.text.endsWith(stop.slice(0, length))) held = length;
      }
    }
    return held;
  }
}
