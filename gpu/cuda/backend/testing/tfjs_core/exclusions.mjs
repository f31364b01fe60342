/**
 * Specs of tfjs-core that are not run on `cuda`, by how their full names begin, each with its reason. The list is
 * printed by every run.
 */
export const EXCLUSIONS = [];
