// The problems of a file that decides on access, as lines for the user: `file:line: problem`.

export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}
