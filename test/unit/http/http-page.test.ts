// docs/http.md lists the routes of the table. UPDATE_DOCS=1 writes the list.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { routeTable } from '../../../src/http/route-table.ts';

const PAGE = 'docs/http.md';
const LIST = /(<!-- routes -->\n).*?(<!-- end of routes -->)/s;

test('the page lists every route', () => {
  const rows = routeTable.map(({ method, path, access, query, summary }) => {
    const names = Object.keys(query).join('`, `');
    const parameters = names === '' ? '' : `; \`${names}\``;
    return `| \`${method} ${path}\` | ${access} | ${summary}${parameters} |`;
  });
  const list = ['| request | access | answers |', '| --- | --- | --- |', ...rows].join('\n');
  const page = readFileSync(PAGE, 'utf8');
  const wanted = page.replace(LIST, `$1${list}\n$2`);
  if (process.env.UPDATE_DOCS) writeFileSync(PAGE, wanted);
  else assert.equal(page, wanted, 'run UPDATE_DOCS=1 npx tsx test/run.ts test/unit/http');
});

test('no two routes answer the same request', () => {
  const seen = routeTable.map(({ method, path }) => `${method} ${path.replace(/:\w+/g, ':')}`);
  assert.deepEqual(seen, [...new Set(seen)]);
});
