/** What training needs, in a page. */
import { checkChangedVariables } from '../../../testing/changed_variables.js';
import { checkConvolutionGradients } from '../../../testing/convolution_gradients.js';
import '../index.js';
import { pageTest } from './page_test.js';

pageTest('gradients of convolutions', (t) => checkConvolutionGradients(t, { bound: 2e-5, dilated: false }));

pageTest('variables that are assigned to', checkChangedVariables);
