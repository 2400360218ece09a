// How another box joins: the lines to type there. The token of the cluster is on the boxes only, so the
// page shows where it is read from and not its value.

import { CopyButton } from './copy-button.tsx';

export function AddBox() {
  const address = location.hostname.replace(/^\[|\]$/g, '');
  const line = `node shoal.js -csk-file=token -mbs=${address}:7946`;
  return (
    <details class="add-box">
      <summary>Add a box</summary>
      <ol>
        <li>Copy shoal.js and the file with the cluster token to the new box.</li>
        <li>
          Open UDP 7946 and 7947 there: <code>ufw allow 7946:7947/udp</code>
          <CopyButton text="ufw allow 7946:7947/udp" />
        </li>
        <li>
          Start it: <code>{line}</code>
          <CopyButton text={line} />
        </li>
      </ol>
    </details>
  );
}
