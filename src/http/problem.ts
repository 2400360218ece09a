// Errors of the HTTP API as RFC 9457 describes them: a status, a title of the kind, and a sentence that
// says what is wrong with this request and what would be right.

/** An error with an answer of its own. Handlers throw it; every other error is answered with 500. */
export class HttpProblem extends Error {
  override readonly name = 'HttpProblem';
  readonly status: number;

  /** @param detail one sentence for the caller, with its full stop */
  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

export const PROBLEM_TYPE = 'application/problem+json';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Token needed',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  406: 'Not for other nodes',
  408: 'Request too slow',
  409: 'Conflict',
  413: 'Request too large',
  415: 'Unsupported content type',
  421: 'Wrong host',
  429: 'Too many requests',
  431: 'Header too large',
  500: 'Internal error',
  502: 'Other node failed',
  503: 'Not ready',
  504: 'Other node did not answer',
};

export interface ProblemBody {
  readonly title: string;
  readonly status: number;
  readonly detail: string;
}

export function problemBody({ status, message }: HttpProblem): ProblemBody {
  return { title: TITLES[status] ?? 'Error', status, detail: message };
}

/** @param nodes that are known */
export function unknownNode(
  nodes: readonly { readonly name: string }[],
  name: string,
): HttpProblem {
  const names = nodes.map((one) => one.name).join(', ');
  return new HttpProblem(404, `No node named ${name} is known here, only ${names}.`);
}
