/** The report in a terminal: a table of ops and backends, then everything that did not pass. */
import { OPS } from '../../plugin/ops/index.js';
import type { CaseResult, Report } from './report.js';

/** Appended to the seed in the report of an incomplete run. */
export const ENDED = ', ended before its last case';

/** A cell: number of cases by verdict, and the largest error relative to the largest value, if it is not 0. */
export interface Cell {
  readonly results: readonly CaseResult[];
  readonly verdict: CaseResult['verdict'];
  readonly maxRel: number;
}

/** Whether an error is within the floor for denormals, where a relative error is meaningless. */
export function isBelowFloor({ bound, maxAbs }: CaseResult): boolean {
  return (
    bound !== undefined && bound.absolute < 1e-30 && Number(maxAbs) > 0 && Number(maxAbs) <= bound.absolute
  );
}

/** The worst verdict counts; a skip only if nothing was run. */
export function cellOf(results: readonly CaseResult[]): Cell {
  const has = (verdict: CaseResult['verdict']) => results.some((result) => result.verdict === verdict);
  const verdict = has('fail') ? 'fail' : has('tie-flip') ? 'tie-flip' : has('pass') ? 'pass' : 'skip';
  const maxRel = Math.max(
    0,
    ...results
      .map((result) => (isBelowFloor(result) ? 0 : Number(result.maxRel ?? 0)))
      .filter(Number.isFinite),
  );
  return { results, verdict, maxRel };
}

/** Ops and backends in order of first appearance, and the cells. */
export function matrixOf(report: Report): {
  readonly ops: string[];
  readonly backends: string[];
  readonly cell: (op: string, backend: string) => Cell | undefined;
} {
  const cells = new Map<string, CaseResult[]>();
  for (const result of report.cases) {
    const key = JSON.stringify([result.op, result.backend]);
    cells.set(key, [...(cells.get(key) ?? []), result]);
  }
  return {
    ops: [...new Set(report.cases.map(({ op }) => op))].sort(byImportance),
    backends: [...new Set(report.cases.map(({ backend }) => backend))],
    cell: (op, backend) => {
      const results = cells.get(JSON.stringify([op, backend]));
      return results && cellOf(results);
    },
  };
}

/** Ops in list order, with their gradients; then modules and networks; then everything else. */
function byImportance(a: string, b: string): number {
  const rank = (row: string) => {
    const listed = OPS.findIndex(({ name }) => name === row.replace(/ gradient$/, ''));
    return listed >= 0 ? listed : /^(File|\(all\))$/.test(row) ? 999 : 99;
  };
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}

const COLOURS = { pass: 32, 'tie-flip': 33, fail: 31, skip: 90 } as const;

/**
 * @param colour whether the stream supports colours
 * @param mostLines maximum number of lines for failures and skips
 */
export function terminalReport(report: Report, colour: boolean, mostLines = 20): string {
  const { ops, backends, cell } = matrixOf(report);
  const paint = (text: string, verdict: CaseResult['verdict']) =>
    colour ? `\x1b[${COLOURS[verdict]}m${text}\x1b[0m` : text;
  const rows = ops.map((op) => backends.map((backend) => cell(op, backend)));
  const text = (value: Cell | undefined) => {
    if (!value) return '';
    const count = (verdict: CaseResult['verdict']) =>
      value.results.filter((result) => result.verdict === verdict).length;
    const parts = (['pass', 'tie-flip', 'fail', 'skip'] as const)
      .filter((verdict) => count(verdict) > 0)
      .map((verdict) => `${count(verdict)} ${verdict}`);
    return parts.join(', ') + (value.maxRel > 0 ? `  ${value.maxRel.toExponential(0)}` : '');
  };
  const first = Math.max(2, ...ops.map((op) => op.length));
  const widths = backends.map((backend, i) =>
    Math.max(backend.length, ...rows.map((row) => text(row[i]).length)),
  );
  const lines = [
    ['op'.padEnd(first), ...backends.map((backend, i) => backend.padEnd(widths[i]))].join('  '),
    ...rows.map((row, r) =>
      [
        ops[r].padEnd(first),
        ...row.map((value, i) => paint(text(value).padEnd(widths[i]), value?.verdict ?? 'skip')),
      ].join('  '),
    ),
    '',
  ];
  for (const backend of backends) {
    const device = report.cases.find((result) => result.backend === backend)?.device;
    if (device) lines.push(`${backend}: ${device}`);
  }
  for (const verdict of ['fail', 'tie-flip', 'skip'] as const) {
    const found = report.cases.filter((result) => result.verdict === verdict);
    for (const { backend, op, case: name, reason } of found.slice(0, mostLines)) {
      lines.push(`${paint(verdict, verdict)}  ${backend}  ${op}  ${name}: ${reason}`);
    }
    if (found.length > mostLines) lines.push(`... and ${found.length - mostLines} more of ${verdict}`);
  }
  const { summary, environment } = report;
  const counts = (['pass', 'tie-flip', 'fail', 'skip'] as const).map(
    (verdict) => `${summary[verdict]} ${verdict}`,
  );
  const seed = `seed ${environment.seed ?? 'none'}${environment.incomplete ? ENDED : ''}`;
  lines.push('', `${counts.join(', ')} of ${summary.total} cases; ${seed}`);
  return lines.join('\n');
}
