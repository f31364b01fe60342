/** Style sheet of the HTML report. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5d6679; --paper: #f6f7fa; --card: #fff; --line: #dde1ea;
  --pass: #1f8a5b; --pass-bg: #e2f5ec; --tie-flip: #a86a00; --tie-flip-bg: #fdf1d8; --fail: #c62f3e; --fail-bg: #fde4e6;
  --skip: #79829a; --skip-bg: #eceef3; --accent: #3563d9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf2; --soft: #9aa4ba; --paper: #12151c; --card: #1b202b; --line: #2e3646;
  --pass: #58cf9a; --pass-bg: #173527; --tie-flip: #f0b64a; --tie-flip-bg: #3a2d12; --fail: #ff7d88; --fail-bg: #431d22;
  --skip: #98a2b8; --skip-bg: #252b38; --accent: #86a6ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1200px; margin: 0 auto; padding: 32px 24px 80px; }
h1 { font-size: 28px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 19px; margin: 44px 0 12px; }
p.lead { margin: 0 0 20px; color: var(--soft); }
.counts { display: flex; gap: 12px; flex-wrap: wrap; margin: 20px 0; }
.count { border-radius: 12px; padding: 12px 20px; min-width: 120px; }
.count b { display: block; font-size: 30px; line-height: 1.1; font-variant-numeric: tabular-nums; }
.pass { color: var(--pass); background: var(--pass-bg); } .tie-flip { color: var(--tie-flip); background: var(--tie-flip-bg); }
.fail { color: var(--fail); background: var(--fail-bg); } .skip { color: var(--skip); background: var(--skip-bg); }
.scroll { overflow-x: auto; }
table { border-collapse: separate; border-spacing: 4px; }
table.matrix th { text-align: left; font-weight: 600; padding: 4px 10px 4px 0; white-space: nowrap; vertical-align: middle; }
table.matrix thead th { color: var(--soft); font-size: 13px; padding-left: 10px; }
table.matrix td { border-radius: 10px; padding: 8px 10px 6px; width: 260px; min-width: 220px; vertical-align: top; }
td .verdict { display: flex; justify-content: space-between; font-weight: 600; font-size: 14px; }
td .verdict small { font-weight: 400; color: var(--soft); }
.histogram { display: block; width: 100%; max-width: 300px; margin-top: 4px; }
.histogram text { font: 8px system-ui, sans-serif; fill: var(--soft); }
.bar { fill: var(--accent); } .zero { fill: var(--pass); } .axis { stroke: var(--soft); stroke-width: .6; }
.bound { stroke: var(--fail); stroke-width: 1.2; stroke-dasharray: 3 2; }
.card { background: var(--card); border: 1px solid var(--line); border-left: 5px solid var(--skip); border-radius: 10px; padding: 12px 16px;
  margin: 10px 0; }
.card.fail, .card.tie-flip { color: var(--ink); background: var(--card); }
.card.fail { border-left-color: var(--fail); } .card.tie-flip { border-left-color: var(--tie-flip); }
.card h3 { font-size: 15px; margin: 0; } .card p { margin: 4px 0; color: var(--soft); overflow-wrap: anywhere; }
.trees { display: flex; gap: 20px; flex-wrap: wrap; margin-top: 8px; }
figure { margin: 0; } figcaption { font-size: 13px; color: var(--soft); }
svg.tree { width: min(340px, 86vw); aspect-ratio: 1; background: var(--paper); border-radius: 8px; }
.common { stroke: var(--skip); stroke-width: 1.4; opacity: .65; } .vertex { fill: var(--skip); } .first { fill: var(--ink); }
line.missing { stroke: var(--accent); stroke-width: 3.6; stroke-linecap: round; } line.extra { stroke: var(--fail); stroke-width: 3.6; stroke-linecap: round; }
.swatch { display: inline-block; width: 18px; height: 4px; border-radius: 2px; vertical-align: middle; margin-right: 5px; }
.swatch.missing { background: var(--accent); } .swatch.extra { background: var(--fail); }
details { margin: 6px 0; } summary { cursor: pointer; }
table.cases { border-spacing: 0; font-size: 13px; width: 100%; font-variant-numeric: tabular-nums; }
table.cases th, table.cases td { text-align: left; padding: 3px 12px 3px 6px; border-bottom: 1px solid var(--line); vertical-align: top; }
table.cases td.number { white-space: nowrap; text-align: right; }
.badge { border-radius: 6px; padding: 0 7px; font-weight: 600; white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 14px; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
`;
