// Asks for the token of the HTTP API, where the node wants one.

import { useState } from 'preact/hooks';
import { setToken } from './api.ts';

export function TokenForm({ hadToken, entered }: { hadToken: boolean; entered: () => void }) {
  const [token, setText] = useState('');
  function submit(event: Event): void {
    event.preventDefault();
    if (token.trim() === '') return;
    setToken(token.trim());
    entered();
  }
  return (
    <form class="token-form" onSubmit={submit}>
      <h2>{hadToken ? 'This token is not valid.' : 'This page needs a token.'}</h2>
      <p>
        On the box, type <code>shoal dashboard</code>. It prints an address with a token.
      </p>
      <label>
        Token
        <input
          type="password"
          autocomplete="current-password"
          value={token}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Open</button>
    </form>
  );
}
