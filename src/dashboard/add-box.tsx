// How another box joins: the lines to type there. The token of the cluster is on the boxes only, so the
// page shows where it is read from and not its value.

import type { NodeView } from '../http/node-api.ts';
import { CopyButton } from './copy-button.tsx';

export function AddBox({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const line = `node shoal.js -csk-file=token -mbs=${seedOf(nodes)}`;
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

/** Through a tunnel the browser knows this box by a loopback address, which helps no other box. */
function seedOf(nodes: readonly NodeView[]): string {
  const known = nodes.find(({ isSelf }) => isSelf)?.address;
  if (known !== null && known !== undefined) return known;
  // With the brackets of an IPv6 address, as -mbs takes it.
  const host = location.hostname;
  const isLoopback = /^(localhost|127\.|\[::1\])/.test(host);
  return `${isLoopback ? 'ADDRESS-OF-THIS-BOX' : host}:7946`;
}
