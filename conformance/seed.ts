/** The default seed of the generated cases. */
export const DEFAULT_SEED = 20240607;
