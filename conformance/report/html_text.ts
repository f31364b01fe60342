/** Text and numbers in HTML. */

export function escapeHtml(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A number in short scientific notation: 3.4e-7. */
export function scientific(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const number = Number(value);
  if (number === 0) return '0';
  if (!Number.isFinite(number)) return String(value);
  return Number.isInteger(number) && Math.abs(number) < 1e5 ? String(number) : number.toExponential(1);
}

/** Symbols for verdicts: colour is never the only indication. */
export const MARKS = { pass: '✓', 'tie-flip': '≈', fail: '✗', skip: '·' } as const;
