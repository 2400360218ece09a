// Topic Filters for the model (MQTT 5.0 4.7, 4.8.2).

/** [MQTT5-4.7]: level by level; a wildcard at the first level leaves out topics that begin with $. */
export function matches(filter: string, topic: string): boolean {
  const filters = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (filters[0] === '+' || filters[0] === '#')) return false;
  for (const [index, level] of filters.entries()) {
    if (level === '#') return true;
    if (index >= levels.length) return false;
    if (level !== '+' && level !== levels[index]) return false;
  }
  return filters.length === levels.length;
}

/** The filter of a shared subscription without `$share/NAME/`; undefined for another one. */
export function parseGroup(filter: string): string | undefined {
  return /^\$share\/[^/]+\/(.*)$/.exec(filter)?.[1];
}
