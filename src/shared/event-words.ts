// Log events of the nodes as sentences, for `shoal watch` and the dashboard. An event that has no sentence here is
// shown as the log shows it: its name and its fields. Pure.

export interface EventText {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const MEMBER = /^cluster (online|suspect|offline|left|updated) (\S+) (\S+)$/;

/** The member that an event is about, and its state; undefined for other events. */
export function memberOfEvent(event: string): { name: string; state: string } | undefined {
  const [, logged, name] = MEMBER.exec(event) ?? [];
  if (logged === undefined || name === undefined) return undefined;
  // A member that has restarted, or has another address, before it was missed: it is online.
  return { name, state: logged === 'updated' ? 'online' : logged };
}

export function wordsOfEvent({ event, fields }: EventText): string {
  const member = memberOfEvent(event);
  if (member !== undefined)
    return `${member.name} is ${member.state}${reasonOfState(fields.reason, member.state)}`;
  const { client, user, from, mqtt } = fields;
  if (event === 'client connected') {
    const as = user === undefined ? '' : ` as ${user}`;
    return `${client} connected${as} from ${from}, MQTT ${mqtt}`;
  }
  if (event === 'client disconnected') return `${client} disconnected${reasonOf(fields.reason)}`;
  if (event === 'connection refused')
    return `${client ?? from} was refused${reasonOf(fields.reason)}`;
  const pairs = Object.entries(fields).flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [` ${key}=${quoted(String(value))}`],
  );
  return event + pairs.join('');
}

/** A node that has the news from another one gives the state itself as the reason: `offline, says box2`. */
function reasonOfState(reason: unknown, state: string): string {
  const [, teller] = /^(?:suspected|offline)(, says .*)$/.exec(String(reason)) ?? [];
  return teller !== undefined && String(reason).startsWith(state) ? teller : reasonOf(reason);
}

function reasonOf(reason: unknown): string {
  return reason === undefined ? '' : `: ${reason}`;
}

function quoted(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
