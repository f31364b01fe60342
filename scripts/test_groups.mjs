/**
 * Groups of test files that `npm test` runs in one process, one after the other: starting Node, tap and tfjs takes longer than
 * most of them. A file gets its own process if it modifies the process, loads tfjs twice, or takes long.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { ROOT } from './setup.mjs';

const GROUPS = [
  /^demo\/test\//, // one build of the page, one Chromium
  /^(gpu\/webgl\/(?!ready)|plugin\/image\/browser|wasm\/browser)/, // one Chromium
  /^converters\/(?!pytorch\/fuzz)/,
  /^gpu\/cuda\/backend\/(kernels\/(?!invalid_arguments)|allocator|fallback|launch)/,
  /^gpu\/cuda\/backend\/(addon\/|backend\.|lifecycle|unavailable)/,
  /^gpu\/cuda\/(boruvka_mst|fused|invalid_trees|linear|tree_scan|testing\/training)/,
  /^node\/(?!cli\/|queue\/(?!run_model))/,
  /^node\/cli\/(cli|convert|terminal)/,
  /^node\/cli\/(dense|evaluate|finetune|gg_ssm|row_output|train)/,
  /^node\/cli\/(drawings|erf|models)/,
  /^node\/cli\/(inputs|language|output)/,
  /^node\/cli\/(many_images|queue)/,
  /^plugin\/(?!graph_model|image|kernels\/values|models|training)/,
  /^plugin\/image\/(?!browser)/,
  /^plugin\/models\//,
  /^plugin\/training\//,
  /^gpu\/webgpu\/(dispatches|edge_dissimilarity|integers_as_floats|linear|recorder|runner|spanning_trees|specs|tree_scan)/,
  /^wasm\/(binary_format|convolution_gradients|kernels|language_models)/,
  /^conformance\/(case|composed|run|cases\/(changed_language_files|language_training|layouts|training_variants))\./,
  /^examples\/(scenes|tree-filter)\//,
  /^(conformance\/(cases\/(dense_ops_file|load|quantized_model)|runners\/(cli|run_on_targets)|certificate|measure|report|toy_op)|testing\/(?!.*bundle)[^/]+\.test)/,
];

/** If it has a teardown of its own, tap's root ends when it is first idle: between two files. */
const GUARD =
  "t.teardown = () => { throw new Error('a test file of a group has a teardown outside of its tests'); };\n";

/**
 * The slowest ones are started first, so that no process is left alone with one at the end: from two minutes of CPU time to ten
 * seconds. A group is named by any of its files.
 */
const LONGEST = [
  /^demo\/test\//,
  /^conformance\/default_run/,
  /^conformance\/runners\/chromium/,
  /^gpu\/webgl\/(?!ready)/,
  /^testing\/consumer\//,
  /^plugin\/models\//,
  /^conformance\/case\./,
  /^converters\/(?!pytorch\/fuzz)/,
  /^conformance\/(cases\/changed_files|mutate)/,
  /^gpu\/cuda\/backend\/allocator/,
  /^node\/queue\/(killed_workers|queue)/, // they wait most of the time
  /^gpu\/webgpu\/dispatches/,
  /^plugin\/training\//,
  /^(node\/cli\/(convert|language|train|models)|bench\/bench|examples\/finetune|gpu\/cuda\/thread_orders)/,
];

/**
 * Writes a file for each group, and for each file without one, and returns them in the order in which they should be run: sorted
 * by name, since tap sorts its arguments.
 *
 * @param folder of the transpiled files, relative to the root, as the files are
 */
export function groupTests(files, folder) {
  const source = (file) => relative(folder, file);
  const grouped = GROUPS.map((pattern) => files.filter((file) => pattern.test(source(file))));
  const others = files.filter((file) => !grouped.some((group) => group.includes(file)));
  const rank = (group) => {
    const found = LONGEST.findIndex((pattern) => group.some((file) => pattern.test(source(file))));
    return found < 0 ? LONGEST.length : found;
  };
  const groups = [...grouped, ...others.map((file) => [file])].sort((a, b) => rank(a) - rank(b));
  mkdirSync(join(ROOT, folder, 'run'), { recursive: true });
  return groups.map((group, i) => {
    const [first, ...more] = group.map(source);
    const name = `${first.replace('.test.js', '').replaceAll('/', '-')}${more.length > 0 ? `-and-${more.length}` : ''}`;
    const file = join(folder, 'run', `${String(i + 1).padStart(2, '0')}-${name}.test.js`);
    const imports = group.map((each) => {
      const path = relative(dirname(file), each);
      // Tests wait in the order in which files add them: this one ends after all others of its file.
      return `await import('${path}');\nawait t.test('end of ${source(each)}', async () => {});\n`;
    });
    const alone = `import '${relative(dirname(file), group[0])}';\n`;
    writeFileSync(
      join(ROOT, file),
      more.length > 0 ? `import t from 'tap';\n${GUARD}${imports.join('')}` : alone,
    );
    return file;
  });
}
