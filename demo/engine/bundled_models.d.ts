/** The virtual module that the build creates for the models bundled with the page. */
declare module 'virtual:bundled-models' {
  interface BundledModel {
    readonly summary: import('./summary.js').ModelSummary;
    /** URLs by file name. */
    readonly files: Readonly<Record<string, string>>;
  }
  const models: readonly BundledModel[];
  export default models;
}
