/** What the build makes of the models that come with the page. */
declare module 'virtual:bundled-models' {
  interface BundledModel {
    readonly summary: import('./summary.js').ModelSummary;
    /** URLs by the names of files. */
    readonly files: Readonly<Record<string, string>>;
  }
  const models: readonly BundledModel[];
  export default models;
}
