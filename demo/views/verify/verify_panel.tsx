/** Run the conformance suite here. */
export function VerifyPanel() {
  return <p>Nothing has been verified yet.</p>;
}
