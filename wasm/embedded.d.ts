/**
 * The .wasm files of this folder in base64 and the script of a thread as it is, by name: those that were built. The module
 * itself is written by scripts/embed_wasm.mjs.
 */
export declare const EMBEDDED: Readonly<Record<string, string | undefined>>;
