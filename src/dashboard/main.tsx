// The dashboard: a page that every node serves, about all nodes. It gets its data by the HTTP API alone.
// This file shows the application, once the browser has read the page.

import { render } from 'preact';
import { takeTokenFromAddress } from './api.ts';
import { App } from './app.tsx';

takeTokenFromAddress();
render(<App />, document.body);
