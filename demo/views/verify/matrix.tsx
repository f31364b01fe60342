import { signal } from '@preact/signals';
import type { Cell, Run, Verdict } from '../../state/verify.js';

const VERDICTS = ['fail', 'tie-flip', 'pass', 'skip'] as const satisfies readonly Verdict[];

/** The op and backend of the cell that is hovered or focused. */
const shown = signal<readonly [op: string, backend: string] | undefined>();

/** A table of ops and backends: how many cases passed, and the largest error of the hovered or focused cell. */
export function Matrix({ matrix, backends }: Run) {
  const [op = '', backend = ''] = shown.value ?? [];
  const cell = matrix.get(op)?.get(backend);
  return (
    <>
      <p class="muted" aria-live="polite">
        {cell
          ? `${op} on ${backend}: ${detailsOf(cell)}`
          : 'A cell has its largest error: point at it, or go to it with Tab.'}
      </p>
      <div class="scroll">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Op</th>
              {backends.map((backend) => (
                <th key={backend} scope="col">
                  {backend}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...matrix].map(([op, row]) => (
              <tr key={op}>
                <th scope="row">{op}</th>
                {backends.map((backend) => (
                  <td key={backend}>
                    <MatrixCell op={op} backend={backend} cell={row.get(backend)} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function MatrixCell({ op, backend, cell }: { op: string; backend: string; cell: Cell | undefined }) {
  if (!cell) return null;
  const show = () => {
    shown.value = [op, backend];
  };
  const counted = VERDICTS.filter((verdict) => cell.counts[verdict] > 0);
  return (
    <button type="button" class={counted[0]} onMouseEnter={show} onFocus={show} onClick={show}>
      {counted.map((verdict) => `${cell.counts[verdict]} ${verdict}`).join(', ')}
    </button>
  );
}

function detailsOf({ maxRel }: Cell): string {
  return maxRel === 0
    ? 'exact'
    : `off by at most ${maxRel.toExponential(1)} of the largest value of a tensor`;
}
