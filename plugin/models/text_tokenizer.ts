/** Text to token ids and back, by the tokenizer files of a HuggingFace model. */
import type { Tokenizer } from '@huggingface/tokenizers';
import type { ModelFiles } from './model_files.js';

export class TextTokenizer {
  private constructor(private readonly tokenizer: Tokenizer) {}

  /** Undefined where the model has no tokenizer.json. @throws {Error} when it cannot be used */
  static async load(files: ModelFiles): Promise<TextTokenizer | undefined> {
    const [tokenizer, config] = await Promise.all(
      ['tokenizer.json', 'tokenizer_config.json'].map((file) => files.readText(file)),
    );
    if (tokenizer === undefined) return undefined;
    const { Tokenizer } = await import('@huggingface/tokenizers');
    try {
      return new TextTokenizer(new Tokenizer(JSON.parse(tokenizer), JSON.parse(config ?? '{}')));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`tokenizer.json cannot be used: ${reason}`, { cause });
    }
  }

  /** @param options.specialTokens whether to add those that begin or end a text, as the tokenizer may say; true */
  encode(text: string, options: { specialTokens?: boolean } = {}): number[] {
    if (text === '') return [];
    return this.tokenizer.encode(text, { add_special_tokens: options.specialTokens ?? true }).ids;
  }

  /** The text of ids, special tokens spelled out. Ids without a token are left out. */
  decode(ids: readonly number[]): string {
    const known = ids.filter((id) => this.tokenizer.id_to_token(id) !== undefined);
    return known.length === 0 ? '' : this.tokenizer.decode(known, { skip_special_tokens: false });
  }
}
