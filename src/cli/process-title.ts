// Removes the cluster token and passwords from the output of `ps` and from /proc/PID/cmdline: on Linux
// a new process title overwrites the memory of the arguments. (bin/shoal.ts removes the token from the
// environment too. Only the same user can read that, but child processes would inherit it.)

const SECRET_FLAG = /^--?csk(=|$)/;

export function maskedTitle(tokens: readonly string[]): string {
  // The last argument may be a password.
  if (tokens[0] === 'passwd') return 'shoal passwd';
  const shown: string[] = ['shoal'];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (!SECRET_FLAG.test(token)) {
      shown.push(token);
      continue;
    }
    shown.push('-csk=***');
    if (!token.includes('=')) index += 1;
  }
  return shown.join(' ');
}

export function hideSecrets(tokens: readonly string[]): void {
  process.title = maskedTitle(tokens);
}
