/** The seed of the generated cases where none is given. */
export const DEFAULT_SEED = 20240607;
