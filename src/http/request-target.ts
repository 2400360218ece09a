// The target of a request: path and query. Knows no route.
// Invariant: each name of the query is an own property of an object without a prototype.

import type { NodeRequest } from '../shared/node-request.ts';
import { HttpProblem } from './problem.ts';

const URL_CHARACTERS_MAX = 8_192;

/** @param url as the client sends it. @throws HttpProblem */
export function readTarget(url: string): Pick<NodeRequest, 'path' | 'query'> {
  if (url.length > URL_CHARACTERS_MAX) throw new HttpProblem(413, 'The address is too long.');
  const [path = '/', search = ''] = splitOnce(url, '?');
  // Without a prototype, so that `__proto__` is a name like any other.
  const query: Record<string, string> = Object.create(null);
  for (const [name, value] of new URLSearchParams(search)) {
    if (Object.hasOwn(query, name)) {
      throw new HttpProblem(400, `The query has '${name.slice(0, 40)}' twice.`);
    }
    query[name] = value;
  }
  return { path, query };
}

function splitOnce(value: string, separator: string): [string, string?] {
  const at = value.indexOf(separator);
  return at === -1 ? [value] : [value.slice(0, at), value.slice(at + 1)];
}
