// A control socket whose answers a test gives, for the commands that ask a node.

import { createServer } from 'node:http';
import type { TestContext } from 'node:test';
import { temporaryFolder } from './temporary-folder.ts';

/** The answers by method and path, as `GET /api/v1/nodes`; any other request gets 404. */
export type Answers = Readonly<Record<string, unknown>>;

/** @returns the path of the control socket */
export async function startFakeNode(t: TestContext, answers: Answers): Promise<string> {
  const path = `${temporaryFolder(t)}/node.sock`;
  const server = createServer(({ method, url = '' }, response) => {
    const answer = answers[`${method} ${url.replace(/\?.*/, '')}`];
    const isKnown = answer !== undefined;
    response.statusCode = isKnown ? 200 : 404;
    response.setHeader('content-type', isKnown ? 'application/json' : 'application/problem+json');
    response.end(JSON.stringify(isKnown ? answer : { detail: 'not known' }));
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  return path;
}
