/** The version of this package, equal to that in package.json, which a test checks. */
export const CONVERTER_VERSION = '0.1.0';
