/** Entry of the page. */
import './style.css';
import { render } from 'preact';
import { App } from './app.js';
import { open } from './state/library.js';

render(<App />, document.body);
await open('digits');
