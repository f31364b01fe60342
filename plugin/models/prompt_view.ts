/** A layer of GrootL applied to a prompt: the tree over its tokens. */

/** A token of a prompt. */
export interface PromptToken {
  readonly id: number;
  /**
   * The text of the token alone, with its spaces; bytes that do not form a character as `<0xE2>`. `#` and the id if the
   * tokenizer has no such token, or the model has no tokenizer.
   */
  readonly text: string;
}

/** The spanning tree over the tokens of a prompt, rooted at the last one. */
export interface PromptTree {
  /** Positions of tokens in the prompt, in breadth-first order. */
  readonly order: Int32Array;
  /** Position in `order` of each token's parent. */
  readonly parent: Int32Array;
}

/** A prompt as returned by `GrootL.view`. */
export interface PromptView {
  readonly tokens: readonly PromptToken[];
  /** Undefined if the model scans only along the text. */
  readonly tree: PromptTree | undefined;
}

/** The vertices of the graph stand for tokens in reversed time. */
export function promptTree(vertices: Int32Array, parent: Int32Array): PromptTree {
  return { order: vertices.map((vertex) => vertices.length - 1 - vertex), parent };
}
