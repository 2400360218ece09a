// The last table of docs/limits.md: what counts for -memory-limit, and as how much. A constant of the
// sources is written as in the other tables, `{bytes broker NAME}`.

export const COSTS_HEAD = `
## What counts as memory

All of this counts for \`-memory-limit\`, for the client's user, and for the node; waiting messages and retained ones also
for the limits of their own. A text counts one byte for each character, or two if any of its characters is above U+00FF.
\`test/bench/memory-costs.ts\` measures what each takes on the heap, and fails if that is more.

| what | bytes |
| --- | --- |
`;

export const COSTS: readonly (readonly [what: string, cost: string])[] = [
  [
    'a session',
    '{bytes broker SESSION_BYTES}, Client Identifier and user name; for the first of its user {bytes broker USER_BYTES} more',
  ],
  [
    'a connection',
    '{bytes broker CONNECTION_BYTES}, and packets and WebSocket messages that have begun, and packets that wait for their turn',
  ],
  ['a will', '{bytes broker WILL_BYTES}, topic, payload and properties'],
  ['a subscription', '{bytes broker SUBSCRIPTION_BYTES} and the Topic Filter'],
  [
    'a topic level of the filters, common beginnings counted once',
    '{bytes broker TREE_NODE_BYTES} and the level',
  ],
  [
    'a shape of filters; a shared group',
    '{bytes broker SHAPE_BYTES}; {bytes broker GROUP_BYTES} and its name',
  ],
  [
    'a retained message',
    "{bytes broker RETAINED_BYTES}, three times its topic, payload, properties, its publisher's names; {bytes broker RETAINED_EXPIRY_BYTES} more if it expires",
  ],
  [
    'a message that waits or is in flight',
    '{bytes broker MESSAGE_BYTES}, payload and properties; {bytes broker DELIVERY_BYTES} for each of its clients; {bytes broker TOPIC_BYTES} and twice the topic for the first of a topic',
  ],
  ['MQTT 5 properties of a message', '{bytes broker PROPERTIES_BYTES} besides their length'],
  ['a topic alias in one direction', '{bytes broker ALIAS_BYTES} and twice the topic'],
];
