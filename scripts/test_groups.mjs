/**
 * Test files that `npm test` runs in one process, one after the other: starting Node, tap and tfjs takes longer than
 * most of them. A file has its own process where it changes the process or loads tfjs twice, and where it takes long.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './setup.mjs';

const GROUPS = [
  /^demo\/test\//, // one build of the page, one Chromium
  /^(gpu\/webgl\/(?!ready)|plugin\/image\/browser|wasm\/browser)/, // one Chromium
  /^converters\/(?!pytorch\/fuzz)/,
  /^gpu\/cuda\/backend\/(kernels\/(?!invalid_arguments)|allocator|fallback|launch)/,
  /^gpu\/cuda\/(boruvka_mst|fused|invalid_trees|linear|tree_scan|testing\/training)/,
  /^node\/(?!cli\/|queue\/(?!run_model))/,
  /^plugin\/(?!graph_model|image|kernels\/values|models|training)/,
  /^plugin\/image\/(?!browser)/,
  /^plugin\/models\//,
  /^plugin\/training\/(?!fit)/,
  /^gpu\/webgpu\/(dispatches|edge_dissimilarity|integers_as_floats|linear|recorder|runner|spanning_trees|specs|tree_scan)/,
  /^wasm\/(binary_format|convolution_gradients|kernels|language_models)/,
  /^conformance\/(case|composed|run|cases\/(changed_language_files|language_training|layouts|training_variants))\./,
  /^examples\/(scenes|tree-filter)\//,
  /^(conformance\/(cases\/(dense_ops_file|load)|certificate|measure|report|toy_op)|testing\/(?!.*bundle)[^/]+\.test)/,
];

/** With a teardown of its own, tap's root ends when it is first idle: between two files. */
const GUARD =
  "t.teardown = () => { throw new Error('a test file of a group has a teardown outside of its tests'); };\n";

/** What takes longest is begun first, so that no process is left alone with it at the end. */
const LONGEST = [
  /^conformance\/(runners\/chromium|default_run|cases\/changed_files)\.test/,
  /^testing\/consumer\//,
];

/**
 * Writes a file for each group and returns what is to be run: what takes longest, the groups, the rest.
 *
 * @param folder of the transpiled files, relative to the root, as the files are
 */
export function groupTests(files, folder) {
  const source = (file) => relative(folder, file);
  const groups = GROUPS.map((pattern) => files.filter((file) => pattern.test(source(file))));
  const written = groups.map((group, i) => {
    const file = join(folder, 'groups', `${i + 1}.test.js`);
    mkdirSync(join(ROOT, dirname(file)), { recursive: true });
    const imports = group.map((each) => {
      const path = relative(dirname(file), each);
      // Tests wait in the order in which files add them: this one ends after all of its file.
      return `await import('${path}');\nawait t.test('end of ${source(each)}', async () => {});\n`;
    });
    writeFileSync(join(ROOT, file), `import t from 'tap';\n${GUARD}${imports.join('')}`);
    return file;
  });
  const others = files.filter((file) => !groups.some((group) => group.includes(file)));
  const isLong = (file) => LONGEST.some((pattern) => pattern.test(source(file)));
  return [...others.filter(isLong), ...written, ...others.filter((file) => !isLong(file))];
}
