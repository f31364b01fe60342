import t from 'tap';
import { measure } from '../measure.js';
import { judgeTree } from '../verdict.js';
import { htmlReport } from './html.js';
import { type CaseResult, mergeReports, type Report, reportOf, summarize, toJson } from './report.js';
import { terminalReport } from './terminal.js';

const result = (more: Partial<CaseResult>): CaseResult => ({
  case: 'treescan_x',
  op: 'First',
  backend: 'cpu',
  device: 'plain JavaScript',
  verdict: 'pass',
  reason: '',
  maxAbs: 0,
  maxRel: 0,
  maxUlp: 0,
  ms: 1,
  ...more,
});

// A square in which one edge can be replaced: the actual tree is 0.5 too heavy.
const square = [0, 2, 1, 3, 0, 1, 2, 3];
const flipped = judgeTree([0, 1, 2], [0, 1, 3], [1, 1, 1, 0.5], square, 4, 'tree 0');
const figures = measure([1, 2, 3], [1, 2, 3.00001]);
const report: Report = ((cases: CaseResult[]) => ({
  environment: { date: '2025-01-01T00:00:00Z', runtime: 'Node 20', seed: 7 },
  cases,
  summary: summarize(cases),
}))([
  result({ histogram: figures.histogram, maxRel: figures.maxRel, maxUlp: Number.POSITIVE_INFINITY }),
  result({
    op: 'Second',
    case: '<script>',
    verdict: 'fail',
    reason: flipped.reason,
    trees: flipped.trees,
  }),
  result({ backend: 'webgl', device: '', op: '(all)', verdict: 'skip', reason: 'no Chromium was found' }),
]);

t.test('a tree that is too heavy fails, and is drawn', async (t) => {
  t.match(flipped, { verdict: 'fail', margin: 0.5, trees: [{ width: 2, numVertices: 4 }] });
  t.equal(judgeTree([0, 1, 2], [0, 1, 3], [1, 1, 1, 1 - 3e-7], square, 4, 'tree').verdict, 'tie-flip');
  t.equal(judgeTree([0, 1, 3], [0, 1, 3], [1, 1, 1, 0.5], square, 4, 'tree').verdict, 'pass');
});

t.test('a run that was ended says so in every form', async (t) => {
  const ended = reportOf(report.cases, { seed: 7, environment: { incomplete: true } });
  t.same(ended.summary, report.summary);
  t.match(ended.environment, { seed: 7, incomplete: true, runtime: /^Node / });
  for (const form of [(each: Report) => terminalReport(each, false), htmlReport]) {
    t.match(form(ended), 'seed 7, ended before its last case');
    t.notMatch(form(report), 'ended before');
  }
  t.match(toJson(ended), '"incomplete": true');
});

t.test('JSON', async (t) => {
  const read = JSON.parse(toJson(report));
  t.match(read.summary, {
    pass: 1,
    fail: 1,
    skip: 1,
    'tie-flip': 0,
    total: 3,
    backends: { cpu: { fail: 1 } },
  });
  t.equal(read.cases[0].maxUlp, 'Infinity');
});

t.test('a page that needs nothing else, with drawings, and names that cannot break it', async (t) => {
  const page = htmlReport(report);
  t.notMatch(page, /<script|https?:|src=|href=|url\(/);
  t.match(page, /&#60;script&#62;/);
  t.match(page, /<svg class="tree"/);
  t.match(page, /class="missing"/);
  t.match(page, /class="extra"/);
  t.match(page, /<svg class="histogram"/);
  t.match(page, /no Chromium was found/);
});

t.test('a table for terminals', async (t) => {
  const text = terminalReport(report, false);
  t.match(text, /^op +cpu +webgl/);
  t.match(text, /Second +1 fail/);
  t.match(text, /skip {2}webgl {2}\(all\) {2}treescan_x: no Chromium was found/);
  t.match(text, /1 pass, 0 tie-flip, 1 fail, 1 skip of 3 cases; seed 7$/);
  t.match(terminalReport(report, true), new RegExp(`${String.fromCharCode(27)}\\[31m`));
});

t.test('reports of several targets as one', async (t) => {
  const browsers = { chromium: { userAgent: 'x', crossOriginIsolated: false } };
  const merged = mergeReports([
    report,
    { ...report, environment: { ...report.environment, runtime: 'y', browsers } },
  ]);
  t.match(merged, { environment: { runtime: 'Node 20', browsers }, summary: { total: 6, fail: 2 } });
});
