import type { Rgb } from 'tfjs-grootvl';

export interface LegendEntry {
  readonly label: string;
  readonly colour: Rgb;
  /** A score, or a fraction of the image. */
  readonly text: string;
}

/** What the colours of an image mean. */
export function Legend({ entries }: { readonly entries: readonly LegendEntry[] }) {
  return (
    <ul class="legend">
      {entries.map(({ label, colour, text }, i) => (
        <li key={i}>
          <span class="swatch" style={{ background: `rgb(${colour.join(' ')})` }} />
          <span>{label}</span>
          <output>{text}</output>
        </li>
      ))}
    </ul>
  );
}
