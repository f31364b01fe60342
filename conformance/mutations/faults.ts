/**
 * Small faults, each in one kernel, such as happen when kernels are written or made faster. The suite must catch every
 * one: see `check.ts`.
 */
import type { Fault } from './fault.js';
import { FUSED_FAULTS } from './fused_faults.js';
import { LANGUAGE_FAULTS } from './language_faults.js';
import { SCAN_FAULTS } from './scan_faults.js';
import { TREE_FAULTS } from './tree_faults.js';

export const FAULTS: readonly Fault[] = [...TREE_FAULTS, ...SCAN_FAULTS, ...FUSED_FAULTS, ...LANGUAGE_FAULTS];
