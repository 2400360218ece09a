// The clients of all nodes, found as the reader types, and the page of one of them.

import { useEffect, useState } from 'preact/hooks';
import type { ClientView, NodeView } from '../http/node-api.ts';
import { formatCount, formatDuration, formatNumber } from '../shared/units.ts';
import { Device } from './device.tsx';
import { ListTools } from './list-tools.tsx';
import { nodeNow } from './site.ts';
import { usePages } from './use-pages.ts';
import { VirtualList } from './virtual-list.tsx';

const ROW_PX = 56;

/** The address keeps which device is open: #devices/ID. */
function deviceOfAddress(): string | undefined {
  const [view, id] = location.hash.slice(1).split('/', 2);
  return view === 'devices' && id !== undefined ? decodeURIComponent(id) : undefined;
}

export function Devices({ nodes }: { nodes: readonly NodeView[] }) {
  const [open, setOpen] = useState(deviceOfAddress);
  useEffect(() => {
    const follow = (): void => setOpen(deviceOfAddress());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return open === undefined ? <DeviceList nodes={nodes} /> : <Device key={open} id={open} />;
}

function DeviceList({ nodes }: { nodes: readonly NodeView[] }) {
  const [search, setSearch] = useState('');
  const [node, setNode] = useState('');
  // Devices that come and go change the count, and the list is read again.
  const connected = nodes.reduce((sum, { clients }) => sum + (clients ?? 0), 0);
  const pages = usePages<ClientView>('/api/v1/clients', { search, node }, String(connected));
  return (
    <>
      <ListTools
        title="Devices"
        hint="Client ID, user or address"
        search={search}
        find={setSearch}
        nodes={nodes}
        node={node}
        anyNode="all nodes"
        ask={setNode}
        reload={pages.reload}
      />
      <p class="count" role="status">
        {pages.isRead ? formatNumber(pages.total, 'device') : 'The nodes are asked ...'}
        {pages.missing.length > 0 && <span class="warn"> without {pages.missing.join('; ')}</span>}
      </p>
      {pages.error !== undefined && <p class="bad">{pages.error.message}</p>}
      <VirtualList
        label="Devices"
        items={pages.items}
        rowHeight={ROW_PX}
        keyOf={({ id, node: place }) => `${place} ${id}`}
        row={(client) => <DeviceRow client={client} />}
        atEnd={pages.more}
      />
    </>
  );
}

function DeviceRow({ client }: { client: ClientView }) {
  const { id, node, user, address, isConnected, since, queued, inflight, isCongested } = client;
  const age = since === null ? '' : ` for ${formatDuration(nodeNow() - since)}`;
  const waiting = queued + inflight;
  return (
    <a
      class={`device-row ${isConnected ? 'alive' : 'offline'}`}
      href={`#devices/${encodeURIComponent(id)}`}
    >
      <span class="dot" aria-hidden="true" />
      <b>{id}</b>
      <span>
        {isConnected ? `connected to ${node}${age}` : `away, session on ${node}`}
        {user !== null && `, user ${user}`}
        {address !== null && `, ${address}`}
        {waiting > 0 && `, ${formatCount(waiting)} messages wait`}
        {isCongested && <span class="warn"> reads slowly</span>}
      </span>
    </a>
  );
}
