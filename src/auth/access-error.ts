// What is wrong with a file that decides on access, as lines for the user: `file:line: ...`.

export class AccessError extends Error {
  override readonly name = 'AccessError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}
