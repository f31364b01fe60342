/** The interface for offering and starting a backend. */

/** The device that it would run on, or why it cannot run here. */
export type Offer =
  | {
      readonly device: string /** A GPU, as opposed to a software renderer. */;
      readonly isGpu?: boolean;
    }
  | { readonly missing: string };

/** Called with a description if the current backend has lost its GPU and all tensors on it. */
export type OnLoss = (what: string) => void;

export interface Starter {
  offer(): Promise<Offer> | Offer;
  /**
   * Loads its packages, starts it (restarts it if it has lost its GPU), and makes it the current one.
   * @returns a description of the device
   * @throws {Error} that says what is missing
   */
  start(onLoss: OnLoss): Promise<string>;
}
