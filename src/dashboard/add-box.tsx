// How another box joins: a line that works once, as text and as a QR code, hidden until the reader asks for it;
// or the lines for a box that has the file with the token of the cluster.

import { useRef, useState } from 'preact/hooks';
import type { InvitationView } from '../http/discovery-view.ts';
import type { NodeView } from '../http/node-api.ts';
import { formatDuration } from '../shared/units.ts';
import { ApiError, call } from './api.ts';
import { QrCode } from './qr-code.tsx';
import { Cure } from './sentence-bar.tsx';
import { nodeNow } from './site.ts';

export function AddBox({ nodes }: { readonly nodes: readonly NodeView[] }) {
  const dialog = useRef<HTMLDialogElement>(null);
  return (
    <>
      <button type="button" class="add-box" onClick={() => dialog.current?.showModal()}>
        Add a box
      </button>
      <dialog ref={dialog} aria-labelledby="add-box-title">
        <h2 id="add-box-title">Add a box</h2>
        <p>Copy shoal.js to the new box, and open its firewall for the other boxes:</p>
        <Cure text="ufw allow 7946:7947/udp" />
        <h3>With an invitation</h3>
        <Invite />
        <h3>With the file that holds the cluster token</h3>
        <p>Copy the file as well, and start there:</p>
        <Cure text={`node shoal.js -csk-file=token -mbs=${seedOf(nodes)}`} />
        <form method="dialog">
          <button type="submit">Close</button>
        </form>
      </dialog>
    </>
  );
}

/** The invitation is a secret: it is made, and shown, only when the reader asks. */
function Invite() {
  const [invitation, setInvitation] = useState<InvitationView>();
  const [isShown, setShown] = useState(false);
  const [note, setNote] = useState('');
  async function invite(): Promise<void> {
    try {
      setInvitation(await call<InvitationView>('POST', '/api/v1/invitations'));
      setShown(false);
      setNote('');
    } catch (error) {
      setNote(error instanceof ApiError ? error.message : String(error));
    }
  }
  const leftMs = (invitation?.expires ?? 0) - nodeNow();
  if (invitation === undefined || leftMs <= 0) {
    return (
      <>
        <p>A line that works once, for ten minutes, with no file to copy.</p>
        <button type="button" onClick={() => void invite()}>
          Make an invitation
        </button>
        <p role="status">{note}</p>
      </>
    );
  }
  const line = `node shoal.js join ${invitation.line}`;
  return (
    <>
      <p>
        It works once, for {formatDuration(leftMs)} more. Anyone who has it gets the token of the
        cluster.
      </p>
      {isShown ? (
        <>
          <Cure text={line} />
          <QrCode text={line} label="The same line as a QR code" />
        </>
      ) : (
        <Cure text="node shoal.js join ••••••••" isHidden />
      )}
      <button type="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
        {isShown ? 'Hide it' : 'Show the line and its QR code'}
      </button>
    </>
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
