// The packets of one client on all nodes, decoded, as they come and go: a trace with a limit of time.

import { useEffect, useState } from 'preact/hooks';
import type { TracedPacket } from '../http/node-api.ts';
import { formatBytes } from '../shared/units.ts';
import { type ApiError, follow } from './api.ts';
import { batch } from './batch.ts';

const SECONDS = 300;
const PACKETS_MAX = 300;

type Packet = TracedPacket & { readonly node: string; readonly at: number };

export function WatchButton({ client }: { client: string }) {
  const [isOn, setOn] = useState(false);
  return (
    <>
      <button type="button" aria-pressed={isOn} onClick={() => setOn(!isOn)}>
        {isOn ? 'End the watch' : 'Watch it'}
      </button>
      {isOn && <Packets client={client} />}
    </>
  );
}

function Packets({ client }: { client: string }) {
  const [packets, setPackets] = useState<readonly Packet[]>([]);
  const [nodes, setNodes] = useState<readonly string[]>([]);
  const [note, setNote] = useState('');
  useEffect(() => {
    const gathered = batch<Packet>((items) =>
      setPackets((before) => [...[...items].reverse(), ...before].slice(0, PACKETS_MAX)),
    );
    const end = follow(
      '/api/v1/trace',
      { client, seconds: SECONDS },
      {
        event: (name, data) => {
          if (name === 'packet') gathered.add(data as Packet);
          if (name === 'begin') {
            setNodes((before) => [...before, (data as { node: string }).node].sort());
          }
          if (name === 'end') {
            const { node, reason } = data as { node: string; reason: string };
            setNote(`The watch ended on ${node}: ${reason}.`);
          }
        },
        broken: (error: ApiError) => setNote(error.message),
      },
    );
    return () => {
      gathered.end();
      end();
    };
  }, [client]);
  return (
    <section class="watch" aria-label={`Packets of ${client}`}>
      <p role="status">
        {note ||
          `For ${SECONDS / 60} minutes, its packets on ${nodes.join(', ') || 'no node yet'}:`}
      </p>
      <ol class="log">
        {packets.map((packet, index) => (
          <li key={packets.length - index}>
            <time>{new Date(packet.at).toISOString().slice(11, 23)}</time>
            <b>{packet.node}</b>
            <span>{wordsOf(packet)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function wordsOf(packet: Packet): string {
  const { direction, type, packetId, topic, qos, dup, retain, payloadBytes, reason } = packet;
  const parts = [
    type !== 'CLOSED' && (direction === 'in' ? 'from it' : 'to it'),
    type,
    packetId !== undefined && `#${packetId}`,
    topic,
    qos !== undefined && `QoS ${qos}`,
    dup === true && 'sent again',
    retain === true && 'retained',
    payloadBytes !== undefined && formatBytes(payloadBytes),
    reason,
    packet.detail,
  ];
  return parts.filter((part) => typeof part === 'string').join(' ');
}
