/** Tests what training needs on WebGL, in Chromium. */
import t from 'tap';
import { runPageTests } from './testing/chromium.js';

t.test('training in Chromium', (t) => runPageTests(t, 'training'));
