/** The names that variables have in PyTorch: those that tfjs gives them are unique among all models of a page. */
import { engine, keep, type Tensor, type Variable, variable } from '@tensorflow/tfjs-core';

const names = new WeakMap<Variable, string>();

/** A variable for a parameter. It has the name of PyTorch, with a suffix where another model's has that name. */
export function parameterVariable(value: Tensor, trained: boolean, name: string): Variable {
  const taken = engine().registeredVariables;
  let free = name;
  for (let i = 1; free in taken; i++) free = `${name}_${i}`;
  const made = keep(variable(value, trained, free));
  names.set(made, name);
  return made;
}

/** The name of a variable in PyTorch, or the one that tfjs knows. */
export function parameterName(variable: Variable): string {
  return names.get(variable) ?? variable.name;
}
