/**
 * The process, where modules of Node can be had from it; undefined in a browser, and in a bundle whose `process` is a stand-in.
 * They are not imported, since a bundler for a page would have to resolve them.
 */
export const node =
  typeof process === 'undefined' || !process.versions?.node || !process.getBuiltinModule
    ? undefined
    : process;
