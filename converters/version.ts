/** The version of this package, as package.json has it; a test keeps the two equal. */
export const CONVERTER_VERSION = '0.1.0';
