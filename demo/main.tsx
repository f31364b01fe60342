/** Entry of the page. */
import './style.css';
import { render } from 'preact';
import digit from '../examples/digits/digit-00-label-7.png?url';
import { App } from './app.js';
import { open } from './state/library.js';
import { look } from './state/look.js';

render(<App />, document.body);
await open('digits');
await look(await (await fetch(digit)).blob());
