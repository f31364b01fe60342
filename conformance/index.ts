/**
 * tfjs-grootvl/conformance: the same cases on every backend, with reliable verdicts. Runs in Node and in pages;
 * tfjs-grootvl/conformance/node adds folders of files and browsers.
 */
export {
  type Backend,
  type BackendDefinition,
  BackendMissing,
  NotSupported,
} from './backend.js';
export {
  type CaseTensor,
  type ConformanceCase,
  type OpCase,
  onlyMatching,
  type ProgramCase,
  type Reference,
} from './case.js';
export { isCasePath, loadCases } from './cases/load.js';
export { defineBackend } from './define_backend.js';
export { htmlReport } from './report/html.js';
export {
  type CaseResult,
  type Environment,
  mergeReports,
  type Report,
  reportOf,
  summarize,
  toJson,
} from './report/report.js';
export { terminalReport } from './report/terminal.js';
export { type Progress, type RunOptions, runConformance } from './run.js';
export { DEFAULT_SEED } from './seed.js';
export { type CaseSource, memorySource } from './source.js';
export { generatedCases } from './spec_cases.js';
