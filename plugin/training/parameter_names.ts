/** The names that variables have in PyTorch: those that tfjs gives them are unique among all models of a page. */
import type { Variable } from '@tensorflow/tfjs-core';

const names = new WeakMap<Variable, string>();

/** Remembers the name of a variable in PyTorch. */
export function nameParameter<V extends Variable>(variable: V, name: string): V {
  names.set(variable, name);
  return variable;
}

/** The name of a variable in PyTorch, or the one that tfjs knows. */
export function parameterName(variable: Variable): string {
  return names.get(variable) ?? variable.name;
}
