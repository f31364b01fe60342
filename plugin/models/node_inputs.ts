/** Inputs of graph nodes: names of nodes with an output. Imports no tfjs, which the converters need not load. */

/** Removes the marks of a control dependency (`^name`) and of an output (`name:0`) from an input. */
export function nodeName(input: string): string {
  return input.replace(/^\^/, '').replace(/:\d+$/, '');
}

/** Returns the output index that an input refers to. */
export function outputIndex(input: string): number {
  return Number(/:(\d+)$/.exec(input)?.[1] ?? 0);
}
