/** Tests GrootV-T at full size on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('GrootV-T in Chromium', (t) => runPageTests(t, 'full_size'));
