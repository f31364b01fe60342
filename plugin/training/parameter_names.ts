/** Maps variables to their PyTorch names, because tfjs requires variable names to be unique among all models of a page. */
import { engine, keep, type Tensor, type Variable, variable } from '@tensorflow/tfjs-core';

const names = new WeakMap<Variable, string>();

/** Creates a variable for a parameter. It has the PyTorch name, with a suffix if another model's variable has that name. */
export function parameterVariable(value: Tensor, trained: boolean, name: string): Variable {
  const taken = engine().registeredVariables;
  let free = name;
  for (let i = 1; free in taken; i++) free = `${name}_${i}`;
  const made = keep(variable(value, trained, free));
  names.set(made, name);
  return made;
}

/** Returns the PyTorch name of a variable, or else its tfjs name. */
export function parameterName(variable: Variable): string {
  return names.get(variable) ?? variable.name;
}
