import { BackendList } from './backend_list.js';
import { Suite } from './suite.js';
import './verify.css';

/** What computes here, and whether it computes right. */
export function VerifyPanel() {
  return (
    <>
      <BackendList />
      <Suite />
    </>
  );
}
