import { BackendList } from './backend_list.js';
import { Suite } from './suite.js';
import './verify.css';

/** The panel for backends and their verification. */
export function VerifyPanel() {
  return (
    <>
      <BackendList />
      <Suite />
    </>
  );
}
