/** The report as one self-contained HTML page. */
import { errorHistogram } from './html_errors.js';
import { STYLE } from './html_style.js';
import { escapeHtml, MARKS, scientific } from './html_text.js';
import { drawTrees } from './html_trees.js';
import type { CaseResult, Report } from './report.js';
import { type Cell, ENDED, matrixOf } from './terminal.js';

const VERDICTS = ['pass', 'tie-flip', 'fail', 'skip'] as const;

export function htmlReport(report: Report): string {
  const { summary, environment: about } = report;
  const title =
    summary.fail > 0 ? `${summary.fail} of ${summary.total} cases fail` : 'Everything that ran agrees';
  const counts = VERDICTS.map(
    (verdict) => `<div class="count ${verdict}"><b>${summary[verdict]}</b>${MARKS[verdict]} ${verdict}</div>`,
  );
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(title)} – tfjs-grootvl conformance</title><style>${STYLE}</style></head><body><main>`,
    `<h1>${escapeHtml(title)}</h1><p class="lead">tfjs-grootvl conformance, ${escapeHtml(about.date)}, `,
    `${escapeHtml(about.runtime)}, seed ${escapeHtml(about.seed ?? 'none')}${about.incomplete ? ENDED : ''}</p>`,
    `<div class="counts">${counts.join('')}</div>`,
    matrix(report),
    notable(report, 'fail', 'What fails'),
    notable(report, 'tie-flip', 'Near ties that fell the other way'),
    environment(report),
    allCases(report),
    '</main></body></html>',
  ].join('');
}

function matrix(report: Report): string {
  const { ops, backends, cell } = matrixOf(report);
  const head = backends.map((backend) => `<th scope="col">${escapeHtml(backend)}</th>`).join('');
  const rows = ops.map((op) => {
    const cells = backends.map((backend) => matrixCell(cell(op, backend))).join('');
    return `<tr><th scope="row">${escapeHtml(op)}</th>${cells}</tr>`;
  });
  return (
    '<h2>Ops and backends</h2><p class="lead">Each cell: verdicts, the largest error, and how the errors of all ' +
    'elements are distributed (relative to the largest value of their tensor; the left bar is exact; the dashed line ' +
    'is the widest bound).</p>' +
    `<div class="scroll"><table class="matrix"><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`
  );
}

function matrixCell(cell: Cell | undefined): string {
  if (!cell) return '<td class="skip"></td>';
  const parts = VERDICTS.flatMap((verdict) => {
    const count = cell.results.filter((result) => result.verdict === verdict).length;
    return count > 0 ? [`${MARKS[verdict]} ${count}`] : [];
  });
  const largest = cell.results.some(({ maxRel }) => maxRel !== null) ? `max ${scientific(cell.maxRel)}` : '';
  const only = cell.verdict === 'skip' ? `<small>${escapeHtml(cell.results[0].reason)}</small>` : '';
  return (
    `<td class="${cell.verdict}"><div class="verdict"><span>${parts.join('&ensp;')}</span><small>${largest}</small></div>` +
    `${errorHistogram(cell.results) ?? ''}${only}</td>`
  );
}

/** Number of cases shown in full for every op and backend; the table of all cases has the others. */
const CARDS_PER_CELL = 3;
const MOST_CARDS = 40;

function notable(report: Report, verdict: CaseResult['verdict'], heading: string): string {
  const found = report.cases.filter((result) => result.verdict === verdict);
  if (found.length === 0) return '';
  const { ops, backends } = matrixOf(report);
  const shown = ops.flatMap((op) =>
    backends.flatMap((backend) => {
      const cell = found.filter((result) => result.op === op && result.backend === backend);
      // Those with drawings first, as they show most.
      return cell.sort((a, b) => Number(!a.trees) - Number(!b.trees)).slice(0, CARDS_PER_CELL);
    }),
  );
  const cards = shown.slice(0, MOST_CARDS).map((result) => {
    const { worst, worstInputs, trees = [], margin } = result;
    const at =
      worst && verdict === 'fail'
        ? `<p>${escapeHtml(worst.tensor)}[${worst.index}] is ${worst.given}, expected ${worst.expected}` +
          `${worstInputs ? `; inputs there: ${escapeHtml(JSON.stringify(worstInputs))}` : ''}</p>`
        : '';
    const over =
      margin === undefined
        ? ''
        : `<p>the tree weighs at most ${scientific(Math.max(0, margin))} an edge over a minimum spanning tree</p>`;
    return (
      `<section class="card ${verdict}"><h3>${MARKS[verdict]} ${escapeHtml(result.op)} on ${escapeHtml(result.backend)}: ` +
      `${escapeHtml(result.case)}</h3><p>${escapeHtml(result.reason)}</p>${at}${over}${trees.map(drawTrees).join('')}</section>`
    );
  });
  const rest = found.length - cards.length;
  const more = rest > 0 ? `<p>and ${rest} more, in the table below</p>` : '';
  return `<h2>${heading}</h2>${cards.join('')}${more}`;
}

function environment(report: Report): string {
  const { browsers = {}, ...rest } = report.environment;
  const devices = new Map(report.cases.map(({ backend, device }) => [backend, device]));
  const entries: [string, string][] = [
    ...Object.entries(rest).map(
      ([name, value]) =>
        [name, typeof value === 'string' ? value : JSON.stringify(value)] as [string, string],
    ),
    ...[...devices].map(
      ([name, device]) => [`backend ${name}`, device || 'did not start'] as [string, string],
    ),
    ...Object.entries(browsers).map(
      ([name, { userAgent, crossOriginIsolated, renderer }]) =>
        [
          name,
          `${userAgent}; ${crossOriginIsolated ? '' : 'not '}cross-origin isolated; ${renderer ?? 'no WebGL'}`,
        ] as [string, string],
    ),
  ];
  const list = entries.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`);
  return `<h2>Where it ran</h2><dl>${list.join('')}</dl>`;
}

function allCases(report: Report): string {
  const { ops, backends, cell } = matrixOf(report);
  const head = [
    'case',
    'verdict',
    'max abs',
    'max rel',
    'max ulp',
    'p99 ulp',
    'normwise',
    'bound',
    'ms',
    'reason',
  ];
  const sections = backends.flatMap((backend) =>
    ops.flatMap((op) => {
      const results = cell(op, backend)?.results;
      if (!results) return [];
      const rows = results.map(
        ({ case: name, verdict, reason, maxAbs, maxRel, maxUlp, p99Ulp, normwise, bound, ms }) =>
          `<tr><td>${escapeHtml(name)}</td><td><span class="badge ${verdict}">${MARKS[verdict]} ${verdict}</span></td>` +
          [maxAbs, maxRel, maxUlp, p99Ulp, normwise]
            .map((value) => `<td class="number">${scientific(value)}</td>`)
            .join('') +
          `<td class="number" title="${escapeHtml(bound?.reason ?? '')}">${bound ? scientific(Math.max(bound.absolute, bound.relative)) : '–'}</td>` +
          `<td class="number">${Number(ms).toFixed(1)}</td><td>${escapeHtml(reason)}</td></tr>`,
      );
      return [
        `<details><summary>${escapeHtml(backend)}: ${escapeHtml(op)} (${results.length})</summary><div class="scroll">` +
          `<table class="cases"><thead><tr>${head.map((name) => `<th>${name}</th>`).join('')}</tr></thead>` +
          `<tbody>${rows.join('')}</tbody></table></div></details>`,
      ];
    }),
  );
  return `<h2>All cases</h2>${sections.join('')}`;
}
