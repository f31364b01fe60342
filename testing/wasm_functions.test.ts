/** TypeScript signatures of the functions that the C++ of wasm/ exports. */
import { readFileSync } from 'node:fs';
import t from 'tap';

const SCRIPT = new URL('../scripts/wasm_functions.mjs', import.meta.url).href;
const { functionsOf, sourcesOf } = (await import(SCRIPT)) as {
  functionsOf: (sources: Readonly<Record<string, string>>) => string;
  sourcesOf: () => Readonly<Record<string, string>>;
};

t.test('wasm/functions.ts is what the sources say', async (t) => {
  const written = readFileSync(new URL('../wasm/functions.ts', import.meta.url), 'utf8');
  t.equal(written, functionsOf(sourcesOf()), 'run node scripts/wasm_functions.mjs');
  t.equal(
    written.match(/^ {2}\w+\(/gm)?.length,
    Object.values(sourcesOf())
      .join('')
      .match(/^EXPORT/gm)?.length,
  );
});

t.test('what a function may take and give', async (t) => {
  const text = functionsOf({
    'a.cc':
      'EXPORT void scan(const float* x,  // [B]\n  Pair* last_pair, int rows, bool border) {\n}\nint hidden(int n) {}\n',
    'b.cc': 'EXPORT size_t scan_scratch(int rows) { return 4 * rows; }\n',
    'c.cc': 'static int none(int n) {}\n',
  });
  t.match(
    text,
    '  // a.cc\n  scan(x: number, lastPair: number, rows: number, border: boolean): void;\n' +
      '  // b.cc\n  scan_scratch(rows: number): number;\n}\n',
  );
  t.throws(() => functionsOf({ 'a.cc': 'EXPORT void f(int sizes[3]) {' }), {
    message: 'a.cc: f: expected a parameter, got int sizes[3]',
  });
});
