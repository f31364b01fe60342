/** Tests that this entry point may be imported at any time. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('before the backend', (t) => runPageTests(t, 'early'));

t.test('after the backend', (t) => runPageTests(t, 'late'));
