/** Entry of the page. */
import './style.css';
import { render } from 'preact';
import { App } from './app.js';
import { openFirst } from './state/library.js';
import { keepForOffline } from './state/offline.js';

render(<App />, document.body);
keepForOffline();
await openFirst();
