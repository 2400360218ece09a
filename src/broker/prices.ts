// What each kind of work costs, in units of 10 ns of processor time: the budget of a turn counts in them.
// test/bench/micro-prices.ts measures each kind and prints its cost beside its price; its figures are
// in docs/decisions/0100.
// Invariant: work whose amount a client decides has a price for each byte, item or step of it.

export const Price = {
  /** A packet of a client, whatever it is: finding, decoding and counting it. */
  packet: 8,
  /** Routing one message, in addition to its deliveries. */
  message: 8,
  /** One delivery of a known route to a connected QoS 0 subscriber, with what its connection notes. */
  delivery: 3,
  /** A message that is encoded for one client: with QoS 1 or 2, from a queue, or retained. */
  encodedMessage: 40,
  /** A message that goes into a client's queue or finds it full. */
  queuedMessage: 40,
  /** A message that leaves a queue or ends its exchange without being sent. */
  droppedMessage: 10,
  /** A change that the store records. */
  record: 30,
  /** One topic level of the subscription tree that a search for a route visits. */
  treeNode: 20,
  /** Looking for the route of a topic for the first time, and each of its characters. */
  newTopic: 250,
  topicCharacter: 2,
  /** One subscription that a route lists for itself instead of sharing the tree's list. */
  ownTarget: 20,
  /** Adding, finding or removing a Topic Filter, and each of its characters: a level may be empty. */
  filter: 200,
  filterCharacter: 20,
  /** Checking the form of a Topic Filter, and each of its characters. */
  filterCheck: 20,
  checkedCharacter: 2,
  /** One topic level that a search for retained messages visits, and one message that it finds. */
  retainedNode: 25,
  retainedMessage: 50,
  /** Each character of a topic whose retained message is set or cleared: a level may be empty. */
  retainedCharacter: 5,
  /** One deadline that came due. */
  deadline: 100,
  /** Checking the access of one client, one subscription or one queued message. */
  accessCheck: 100,
  /** Looking at the queue of one session, which is in no cache of the processor. */
  queueCheck: 30,
  /** Finding the place of a session among those with the longest queues. */
  queueListed: 150,
  /** A denial: a search through the whole ACL, and a log line. */
  denial: 500,
  /** The begin of a connection: its CONNECT, its session and its log line. */
  connect: 6000,
  /** The end of a connection: its last packet and its log line. */
  disconnect: 1000,
  /** Comparing one $SYS value with the value published before. */
  sysValue: 20,
  /** Factor: publishing a $SYS value costs this much more, because its code is cold. */
  sysColdness: 1,
} as const;

/** So many bytes that are copied cost one unit: a write copies them once here and once in the system. */
const BYTES_PER_UNIT_LOG2 = 5;

/** The price of copying these bytes. */
export function bytesPrice(bytes: number): number {
  return bytes >> BYTES_PER_UNIT_LOG2;
}

/** The price of adding, finding or removing this Topic Filter. */
export function filterPrice(filter: string): number {
  return Price.filter + Price.filterCharacter * filter.length;
}

/** The price of checking the form of this Topic Filter. */
export function filterCheckPrice(filter: string): number {
  return Price.filterCheck + Price.checkedCharacter * filter.length;
}
