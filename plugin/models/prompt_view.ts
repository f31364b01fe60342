/** What a layer of GrootL does with a prompt: the tree over its tokens. */

/** A token of a prompt. */
export interface PromptToken {
  readonly id: number;
  /**
   * The token alone, with its spaces; bytes that are no whole character as `<0xE2>`. `#` and the id where the tokenizer has no
   * such token, or the model no tokenizer.
   */
  readonly text: string;
}

/** The spanning tree over the tokens of a prompt, rooted at the last one. */
export interface PromptTree {
  /** Places of tokens in the prompt, in breadth-first order. */
  readonly order: Int32Array;
  /** Position in `order` of each token's parent. */
  readonly parent: Int32Array;
}

/** A prompt as `GrootL.view` gives it. */
export interface PromptView {
  readonly tokens: readonly PromptToken[];
  /** Undefined in a model that scans along the text alone. */
  readonly tree: PromptTree | undefined;
}

/** Vertices of the graph stand for tokens in reversed time. */
export function promptTree(vertices: Int32Array, parent: Int32Array): PromptTree {
  return { order: vertices.map((vertex) => vertices.length - 1 - vertex), parent };
}
