/** Commands over many images: formats, files that are complete or absent, threads, runs that end early, invalid input. */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet/src/node.js';
import t from 'tap';
import { grootvl, grootvlProcess, grootvlWith } from '../../testing/command_line.js';
import { fixturePath } from '../../testing/fixtures.js';
import { stubDetector, stubSegmenter } from '../../testing/stub_models.js';

const DIGITS = fileURLToPath(new URL('../../examples/digits', import.meta.url));
const folder = t.testdir();
const at = (name: string) => join(folder, name);
const model = at('model');
const digits = readdirSync(DIGITS)
  .filter((name) => name.endsWith('.png'))
  .map((name) => join(DIGITS, name));
const bad = at('bad.png');

interface Row {
  file: string;
  error?: string;
  predictions?: { index: number; label: string; probability: number }[];
}

const rowsOf = (name: string): Row[] =>
  readFileSync(at(name), 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));
const filesOf = (rows: readonly Row[]) => rows.map(({ file }) => file);

t.before(async () => {
  await grootvl('convert', fixturePath('grootv/grootv_nano_mnist.pth') as string, model);
  writeFileSync(bad, 'no image');
  for (const [name, { files }] of [
    ['segmenter', await stubSegmenter()],
    ['detector', await stubDetector()],
  ] as const) {
    mkdirSync(at(name));
    for (const [file, bytes] of files) writeFileSync(join(at(name), file), bytes);
  }
});

t.test('formats: the same rows in each, by the option or the ending', async (t) => {
  const inputs = [digits[0], bad, digits[1]];
  for (const name of ['rows.json', 'rows.ndjson', 'rows.csv', 'rows.parquet', 'rows.txt']) {
    const { status, stdout, stderr } = await grootvl(
      'classify',
      model,
      ...inputs,
      '--top',
      '2',
      '--out',
      at(name),
    );
    t.equal(status, 3, stderr);
    t.match(stdout, /^3 rows written to .* \(wasm\)\n$/);
    t.match(stderr, /^grootvl: 1 of 3 images failed; the first: cannot read image/);
    t.notOk(existsSync(at(`${name}.partial`)));
  }
  const rows = rowsOf('rows.ndjson');
  t.same(filesOf(rows), inputs);
  t.match(rows[0], { predictions: [{ label: '7' }, {}] });
  t.match(rows[1].error, /not an image/);
  const json: Row[] = JSON.parse(readFileSync(at('rows.json'), 'utf8'));
  t.same(
    json.map(({ predictions }) => predictions),
    rows.map(({ predictions }) => predictions),
  );
  const [head, first, second] = readFileSync(at('rows.csv'), 'utf8').split('\n');
  t.equal(head, 'file,index_1,label_1,probability_1,index_2,label_2,probability_2,backend,ms,error');
  t.match(first, `${inputs[0]},7,7,${rows[0].predictions?.[0].probability},`);
  t.match(second, /bad\.png,,,,,,,,,"?cannot read image/);
  const table = await parquetReadObjects({ file: await asyncBufferFromFile(at('rows.parquet')) });
  t.equal(table.length, 3);
  t.match(table[0], { file: inputs[0], index_1: 7, label_1: '7', error: null });
  t.equal(table[0].probability_1, rows[0].predictions?.[0].probability);
  t.match(table[1], { file: bad, index_1: null, error: /not an image/ });
  t.match(readFileSync(at('rows.txt'), 'utf8'), /bad\.png: cannot read image/);
  const printed = await grootvl('classify', model, digits[0], '--format', 'csv');
  t.match(printed.stdout, /^file,index_1,.*\n.*digit-00-label-7\.png,7,7,/);
});

t.test('segment and detect: a line a class, a line an object', async (t) => {
  for (const [command, name, expected] of [
    ['segment', 'segmenter', /^file,width,height,index,label,share,out,mask,backend,ms,error$/],
    ['detect', 'detector', /^file,width,height,x1,y1,x2,y2,index,label,score,out,backend,ms,error$/],
  ] as const) {
    const csv = at(`${command}.csv`);
    const { status, stderr } = await grootvl(command, at(name), digits[0], digits[1], '--rows', csv);
    t.equal(status, 0, stderr);
    const [head, ...lines] = readFileSync(csv, 'utf8').trim().split('\n');
    t.match(head, expected);
    t.ok(lines.length >= 2);
    for (const line of lines) t.equal(line.split(',').length, head.split(',').length, line);
  }
});

t.test('an image that cannot be written ends the run, which is continued when it can', async (t) => {
  const inputs = digits.slice(0, 3);
  const rows = at('drawn.ndjson');
  const drawn = at('drawn');
  const names = inputs.map((file) => basename(file));
  for (const [command, name] of [
    ['segment', 'segmenter'],
    ['detect', 'detector'],
  ] as const) {
    const args = [command, at(name), ...inputs, '--rows', rows, '--out', drawn];
    writeFileSync(drawn, '');
    t.match(await grootvl(...args), {
      status: 1,
      stderr: /^grootvl: cannot write to the folder .*drawn": it is not a folder\n$/,
    });
    rmSync(drawn);
    mkdirSync(join(drawn, names[2]), { recursive: true });
    for (const workers of ['1', '2']) {
      // Threads need the built program.
      const run = workers === '1' ? grootvl : (...all: string[]) => grootvlProcess({}, ...all);
      const full = await run(...args, '--workers', workers, '--resume');
      t.match(full, {
        status: 1,
        stdout: '',
        stderr: /^grootvl: cannot write .*\.png": it is a directory\n$/,
      });
      t.notOk(existsSync(rows));
    }
    rmdirSync(join(drawn, names[2]));
    t.equal((await grootvl(...args, '--resume')).status, 0);
    t.same(filesOf(rowsOf('drawn.ndjson')), inputs);
    t.same(readdirSync(drawn).sort(), names);
    rmSync(drawn, { recursive: true });
    rmSync(rows);
  }
});

t.test('threads: the same rows in the same order', async (t) => {
  const inputs = [...digits, bad, ...digits];
  writeFileSync(at('list'), inputs.join('\n'));
  const one = await grootvl('classify', model, '--list', at('list'), '--rows', at('one.ndjson'));
  const args = ['--list', at('list'), '--workers', '2', '--batch', '3', '--rows', at('two.ndjson')];
  // The built program: threads do not compile TypeScript.
  const two = await grootvlProcess({}, 'classify', model, ...args);
  t.equal(one.status, 3, one.stderr);
  t.equal(two.status, 3, two.stderr);
  const [ones, twos] = [rowsOf('one.ndjson'), rowsOf('two.ndjson')];
  t.same(filesOf(twos), inputs);
  t.same(
    twos.map(({ error }) => error),
    ones.map(({ error }) => error),
  );
  for (const [i, { predictions = [] }] of ones.entries()) {
    for (const [k, { index, probability }] of predictions.entries()) {
      const other = twos[i].predictions?.[k];
      t.equal(other?.index, index, inputs[i]);
      t.ok(Math.abs((other?.probability ?? 0) - probability) < 1e-5);
    }
  }
  const wrong = await grootvlProcess({}, 'segment', model, ...inputs.slice(0, 2), '--workers', '2');
  t.match(wrong, {
    status: 1,
    stdout: '',
    stderr: /^grootvl: .*this is not a GrootV-UperNet model[^\n]*\n$/,
  });
});

t.test('a run that ends early is continued: every input once, also those that come twice', async (t) => {
  const inputs = [digits[0], digits[1], digits[0], digits[2], bad, digits[3], digits[0]];
  const out = at('resumed.ndjson');
  const run = (...args: string[]) =>
    grootvl('classify', model, ...inputs, '--batch', '1', '--out', out, ...args);
  t.match(await run('--strict'), { status: 1, stdout: '', stderr: /^grootvl: cannot read image .*bad\.png/ });
  t.notOk(existsSync(out), 'the file is complete or not there');
  const journal = `${out}.partial`;
  t.equal(readFileSync(journal, 'utf8').trim().split('\n').length, 5);
  t.match(await run(), {
    status: 1,
    stderr: /partial": it is of a run that has not ended; --resume continues it/,
  });
  appendFileSync(journal, '{"file":"torn');
  for (const [expected, ...args] of [
    [/its options were \{"top":5\}, now they are \{"top":3\}/, '--top', '3'],
    [/its backend was "auto", now it is "cpu"/, '--backend', 'cpu'],
  ] as const) {
    t.match(await run('--resume', ...args), { status: 1, stderr: expected });
  }
  await grootvl(
    'convert',
    fixturePath('grootv/grootv_nano_mnist.pth') as string,
    at('half'),
    '--quantize',
    'float16',
  );
  const other = await grootvl('classify', at('half'), ...inputs, '--out', out, '--resume');
  t.match(other, {
    status: 1,
    stderr: /is of another run: the model is another one; remove it to begin anew/,
  });
  const before = readFileSync(journal, 'utf8').split('\n')[1];
  const resumed = await run('--resume');
  t.equal(resumed.status, 3, resumed.stderr);
  t.match(resumed.stdout, /^7 rows written/);
  t.same(filesOf(rowsOf('resumed.ndjson')), inputs);
  t.equal(JSON.stringify(rowsOf('resumed.ndjson')[0]), before, 'what was done was not done again');
  t.notOk(existsSync(journal));
  t.match(await run('--resume'), { status: 0, stdout: /resumed\.ndjson is complete already/ });
  writeFileSync(journal, 'something else\n');
  t.match(await run('--resume'), { status: 1, stderr: /is not a journal of a run; remove it to begin anew/ });
});

t.test('a signal: what is done is kept, status 130', async (t) => {
  const out = at('interrupted.csv');
  for (const args of [['--out', out], ['--json']]) {
    const input = (async function* () {
      yield Buffer.from(`${digits.slice(0, 4).join('\n')}\n`);
      setTimeout(() => process.emit('SIGINT', 'SIGINT'), 300);
      await new Promise(() => {});
    })();
    const { status, stdout, stderr } = await grootvlWith(
      { input },
      ...['classify', model, '-', '--batch', '1', ...args],
    );
    t.equal(status, 130);
    t.match(
      stderr,
      args.includes('--json') ? /^grootvl: interrupted\n$/ : /^grootvl: interrupted; --resume continues/,
    );
    if (args.includes('--json')) t.ok(JSON.parse(stdout).length > 0, 'a whole document');
  }
  t.notOk(existsSync(out));
  const input = digits.slice(0, 6).join('\n');
  const { status, stdout } = await grootvlWith({ input }, 'classify', model, '-', '--out', out, '--resume');
  t.equal(status, 0);
  t.match(stdout, /^6 rows/);
});

t.test('bad input of every kind is one line', async (t) => {
  mkdirSync(at('empty'));
  writeFileSync(at('nothing'), '\n');
  writeFileSync(at('binary'), Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0));
  for (const [status, expected, ...args] of [
    [1, /gone": no such file/, at('gone')],
    [1, /empty" holds no images; expected \.png/, at('empty')],
    [1, /nothing" names no images/, '--list', at('nothing')],
    [1, /cannot read the list .*gone": no such file/, '--list', at('gone')],
    [1, /binary" is not UTF-8; expected a list of file names/, '--list', at('binary')],
    [1, /\*\.webp" matches no images/, at('*.webp')],
    [1, /standard input names no images/, '-'],
    [1, /cannot write .*none\/rows\.csv.*its folder does not exist/, digits[0], '--out', at('none/rows.csv')],
    [1, /cannot write .*": it is a directory/, digits[0], '--out', folder],
    [
      2,
      /'0' is invalid\. expected an integer from 1 to \d+ \(8 a core\), or auto/,
      digits[0],
      '--workers',
      '0',
    ],
    [2, /'99999' is invalid\. expected an integer from 1 to \d+/, digits[0], '--workers', '99999'],
    [2, /'0' is invalid\. expected an integer from 1 to 10000/, digits[0], '--batch', '0'],
    [2, /'99999' is invalid\. expected an integer from 1 to 10000/, digits[0], '--batch', '99999'],
    [2, /expected an integer from 1 to 100000/, digits[0], '--top', '9007199254740991', '--format', 'csv'],
    [2, /unknown option '-x\.png'; a name that begins with - is given as \.\/-name/, '-x.png'],
    [2, /--resume continues a file of results, and none is named/, digits[0], '--resume'],
    [2, /--format parquet needs a file/, digits[0], '--format', 'parquet'],
    [2, /cannot be used with option '--json'/, digits[0], '--format', 'csv', '--json'],
    [2, /missing required argument 'image'/],
  ] as const) {
    const outcome = await grootvl('classify', model, ...args);
    t.equal(outcome.status, status, args.join(' '));
    t.match(outcome.stderr, expected);
    if (status === 1) t.equal(outcome.stderr.trim().split('\n').length, 1, outcome.stderr);
    t.equal(outcome.stdout, '');
  }
  t.same(
    readdirSync(folder).filter((name) => name.endsWith('.partial') && !name.startsWith('resumed')),
    [],
  );
});
