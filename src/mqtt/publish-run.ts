// A run: QoS 0 PUBLISH packets that follow one another in one chunk and differ only in their payloads. As
// one range of bytes they reach a subscriber for the price of one packet.
// Invariant: every packet in `[start, end)` is whole, has the topic of the first, no properties and no RETAIN,
// and a Remaining Length without padding.

import type { PublishView } from './publish-view.ts';

/** What a run costs is noticed only behind it. */
const RUN_BYTES_MAX = 65_536;
/** The first byte, one byte of the Remaining Length, and the length of the topic. */
const HEAD_BYTES_MIN = 4;
const EMPTY = Buffer.alloc(0);

/** One instance is reused for many runs. */
export class PublishRun {
  buffer: Buffer = EMPTY;
  start = 0;
  end = 0;
  isMqtt5 = false;
  /** Packets. */
  count = 0;
  /** Bytes of its largest packet. */
  largest = 0;

  get bytes(): number {
    return this.end - this.start;
  }

  /**
   * Finds the run that a packet begins.
   * @param view a QoS 0 packet without RETAIN and properties, and with a topic
   * @param packetBytesMax a larger packet ends the run
   * @param packetsMax packets behind these are not looked at
   * @returns true if there are two packets at least
   */
  find(
    view: PublishView,
    packetBytesMax: number,
    packetsMax: number,
    runBytesMax = RUN_BYTES_MAX,
  ): boolean {
    this.buffer = view.buffer;
    this.start = view.start;
    this.end = view.end;
    this.isMqtt5 = view.version === 5;
    this.count = 1;
    this.largest = view.end - view.start;
    while (this.count < packetsMax) {
      const bytes = nextBytes(view, this.end);
      if (bytes === 0 || bytes > packetBytesMax || this.bytes + bytes > runBytesMax) break;
      this.end += bytes;
      this.count += 1;
      this.largest = Math.max(this.largest, bytes);
    }
    return this.count > 1;
  }
}

/** @returns the bytes of the packet at `start` if it is whole and equals that of the view up to the payload, else 0 */
function nextBytes({ buffer, start: first, topicStart, payloadStart }: PublishView, start: number) {
  if (start + HEAD_BYTES_MIN > buffer.length || buffer[start] !== buffer[first]) return 0;
  const bodyStart = bodyStartOf(buffer, start);
  const end = bodyStart + remainingLength(buffer, start);
  const from = topicStart - 2;
  const shift = bodyStart - from;
  if (end > buffer.length || end < payloadStart + shift) return 0;
  for (let i = from; i < payloadStart; i++) if (buffer[i] !== buffer[i + shift]) return 0;
  return end - start;
}

function bodyStartOf(buffer: Buffer, start: number): number {
  return start + (buffer[start + 1]! < 0x80 ? 2 : 3);
}

/** Of a packet of a run; -1 if its Remaining Length is padded or has three bytes and more. */
function remainingLength(buffer: Buffer, start: number): number {
  const low = buffer[start + 1]!;
  if (low < 0x80) return low;
  const high = buffer[start + 2]!;
  return high > 0 && high < 0x80 ? (low & 0x7f) | (high << 7) : -1;
}

/** Moves the view to the next packet of its run. */
export function moveToNext(view: PublishView): void {
  const { buffer, end: start } = view;
  const bodyStart = bodyStartOf(buffer, start);
  const shift = bodyStart + 2 - view.topicStart;
  view.start = start;
  view.end = bodyStart + remainingLength(buffer, start);
  view.topicStart += shift;
  view.topicEnd += shift;
  view.propertiesStart += shift;
  view.propertiesEnd += shift;
  view.payloadStart += shift;
}
