/** What may import what. testing/architecture.test.ts checks it. */

const TESTS = '(^testing/|/testing/|\\.test\\.ts$)';

/** Files below some folders must not import what matches `to`. */
function forbid(name, from, to, why) {
  return { name, severity: 'error', comment: why, from: { path: from, pathNot: TESTS }, to };
}

export default {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    forbid('no-tests', '.', { path: TESTS }, 'tests are not part of the package'),
    forbid(
      'ops-know-no-backend',
      '^plugin/ops/',
      { path: '^(plugin/(cpu|models|image)|wasm|gpu|converters|node|conformance|bench)/' },
      'backends import ops',
    ),
    forbid(
      'plugin-knows-no-backend',
      '^plugin/',
      { path: '^(wasm|gpu|converters|node|conformance|bench)/' },
      'everything else imports the plugin',
    ),
    forbid(
      'training-is-an-entry-of-its-own',
      '^plugin/(?!training/)',
      { path: '^plugin/training/' },
      'who does not train does not load it',
    ),
    forbid(
      'backends-are-apart',
      '^(wasm|gpu)/',
      { path: '^(plugin/models|converters|node|conformance|bench)/' },
      'backends import ops only',
    ),
    forbid('wasm-is-apart', '^wasm/', { path: '^gpu/' }, 'backends do not import each other'),
    forbid('gpu-is-apart', '^gpu/', { path: '^wasm/' }, 'backends do not import each other'),
    forbid(
      'cuda-backend-is-general',
      '^gpu/cuda/backend/',
      { path: '^(gpu/cuda/(?!backend/)|plugin/(?!ops/input_checks))' },
      'the backend knows built-in ops only; of the plugin it has the error that all ops throw',
    ),
    forbid(
      'converters-know-no-kernel',
      '^converters/',
      { path: '^(plugin/(cpu|kernels)|wasm|gpu|node|conformance|bench)/' },
      'converters know declarations of ops',
    ),
    forbid(
      'nothing-of-node-in-pages',
      '^(plugin|wasm|gpu/webgl|gpu/webgpu|converters)/',
      { dependencyTypes: ['core'] },
      'these run in pages',
    ),
    forbid(
      'peers-of-the-plugin',
      '^plugin/',
      {
        dependencyTypes: ['npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: '@tensorflow/tfjs-(core|converter)/|@huggingface/tokenizers/',
      },
      'a page loads no more than it has to',
    ),
    forbid(
      'only-what-is-declared',
      '.',
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional', 'type-only'],
      },
      'pnpm and Yarn let a package import its dependencies and peers, nothing else',
    ),
    forbid(
      'examples-use-entries',
      '^(examples|demo)/',
      {
        path: '^(plugin|wasm|gpu|converters|node|conformance|bench)/',
        pathNot: '^((plugin|plugin/training|wasm|gpu/webgl|gpu/webgpu|gpu/cuda|converters|node)/index\\.ts$)',
      },
      'an example shows what a user of the package can do',
    ),
    forbid(
      'examples-are-no-part',
      '^(plugin|wasm|gpu|converters|node|conformance|bench)/',
      { path: '^(examples|demo)/' },
      'the package does not ship them',
    ),
    forbid(
      'the-command-line-is-on-top',
      '^(plugin|wasm|gpu|converters|conformance|bench)/',
      { path: '^node/cli/' },
      'nothing imports the command line',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|node_modules)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'default'] },
  },
};
