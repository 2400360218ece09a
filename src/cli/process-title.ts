// Takes the cluster token, and passwords, out of what `ps` and /proc/PID/cmdline show: on Linux the
// process title is written over the memory of the arguments. (The environment of a process can be
// read only by its own user, but is emptied of the token as well, for the sake of child processes.)

const SECRET_FLAG = /^--?csk(=|$)/;

export function maskedTitle(tokens: readonly string[]): string {
  // Its last argument may be a password.
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
