/** What the page has to know of a backend to offer and to start it. */

/** What it would run on, in words; or why it cannot run here. */
export type Offer =
  | {
      readonly device: string /** A GPU, and no processor that stands in for one. */;
      readonly isGpu?: boolean;
    }
  | { readonly missing: string };

/** Called with what happened, when the current backend has lost its GPU and all tensors on it. */
export type OnLoss = (what: string) => void;

export interface Starter {
  offer(): Promise<Offer> | Offer;
  /**
   * Loads its packages, starts it, anew where it has lost its GPU, and makes it the current one.
   * @returns what it runs on, in words
   * @throws {Error} that says what is missing
   */
  start(onLoss: OnLoss): Promise<string>;
}
