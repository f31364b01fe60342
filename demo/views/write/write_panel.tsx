/** Continue a text with a language model. */
export function WritePanel() {
  return <p>Open a language model to continue a text.</p>;
}
