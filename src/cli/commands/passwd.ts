// `shoal passwd`: creates and edits password files, with the arguments of mosquitto_passwd. The files
// work with mosquitto too.

import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { AccessError } from '../../auth/access-error.ts';
import {
  hashPlainPasswords,
  nameProblem,
  parsePasswordFile,
  removeUser,
  setUser,
} from '../../auth/password-file.ts';
import { DEFAULT_ITERATIONS, hashPassword, ITERATIONS_MAX } from '../../auth/password-hash.ts';
import { replaceFile } from '../../auth/replace-file.ts';
import { STRING_BYTES_MAX } from '../../mqtt/limits.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

interface PasswdOptions {
  readonly c?: true;
  readonly b?: true;
  readonly D?: true;
  readonly U?: true;
  readonly I?: string;
}

export function addPasswd(program: Command, context: CliContext): void {
  program
    .command('passwd')
    .usage(
      '[-c] [-I n] FILE USER | -b [-c] FILE USER PASSWORD\n       shoal passwd -D FILE USER | -U FILE',
    )
    .argument('<file>')
    .argument('[user]')
    .argument('[password]')
    .option('-c', 'create a new file; overwrites an existing one')
    .option(
      '-b',
      'take the password from the command line, where other users can see it; if it begins with a dash: -b -- FILE USER -PASSWORD',
    )
    .option('-D', 'delete the user')
    .option('-U', 'hash the plain passwords of a file')
    .option('-I <n>', `iterations of the hash (default ${DEFAULT_ITERATIONS})`)
    .description('set a password in a password file; asks for it unless -b is given')
    .action(
      async (
        file: string,
        user: string | undefined,
        password: string | undefined,
        options: PasswdOptions,
      ) => {
        const iterations = iterationsOf(options.I);
        if ([options.c, options.D, options.U].filter(Boolean).length > 1) {
          throw new UsageError('-c, -D and -U exclude each other');
        }
        if (options.U === true) await hashAll(file, iterations, context);
        else if (user === undefined) throw new UsageError('passwd needs a user name');
        else if (options.D === true) await remove(file, user);
        else await set(file, user, password, options, iterations, context);
        context.exitCode = exitCodes.ok;
      },
    );
}

async function set(
  file: string,
  user: string,
  given: string | undefined,
  { b: isBatch, c: isNew }: PasswdOptions,
  iterations: number,
  context: CliContext,
): Promise<void> {
  const problem = nameProblem(user);
  if (problem !== undefined) throw new UsageError(problem);
  if (isBatch === true && given === undefined) throw new UsageError('-b needs a password');
  if (isBatch !== true && given !== undefined) {
    throw new UsageError('a password on the command line needs -b');
  }
  const read = async (): Promise<string> => (isNew === true ? '' : await readOrRefuse(file));
  await read();
  const password = given ?? (await askTwice(context));
  if (password === '') throw new UsageError('the password is empty');
  if (Buffer.byteLength(password) > STRING_BYTES_MAX) {
    throw new UsageError('the password is too long');
  }
  const hash = await hashPassword(password, iterations);
  // Read again: the file may have changed while the user typed.
  if (await write(file, setUser(await read(), user, hash))) {
    context.write(
      `${file} is new, and only its owner can read it; to let a broker of the group shoal read it: chown root:shoal ${file} && chmod 640 ${file}\n`,
    );
  }
}

async function remove(file: string, user: string): Promise<void> {
  const text = removeUser(await readOrRefuse(file), user);
  if (text === undefined) throw new Error(`no user '${user}' in ${file}`);
  await write(file, text);
}

async function hashAll(file: string, iterations: number, context: CliContext): Promise<void> {
  const { text, hashed } = await hashPlainPasswords(await readOrRefuse(file), iterations);
  const { problems } = parsePasswordFile(file, text);
  if (problems.length > 0) throw new AccessError(problems);
  if (hashed > 0) await write(file, text);
  context.write(`${hashed} password${hashed === 1 ? '' : 's'} hashed\n`);
}

async function askTwice(context: CliContext): Promise<string> {
  const password = await context.askSecret('Password: ');
  if ((await context.askSecret('Reenter password: ')) !== password) {
    throw new UsageError('the passwords differ');
  }
  return password;
}

function iterationsOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_ITERATIONS;
  const iterations = /^\d{1,8}$/.test(text) ? Number(text) : 0;
  if (iterations < 1 || iterations > ITERATIONS_MAX) {
    throw new UsageError(`bad value '${text}' for -I: expected 1 to ${ITERATIONS_MAX}`);
  }
  return iterations;
}

/** @returns true if the file is new */
async function write(file: string, text: string): Promise<boolean> {
  try {
    return await replaceFile(file, text);
  } catch (error) {
    throw new Error(`${file}: ${describeSystemError(error, 'write')}`);
  }
}

async function readOrRefuse(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const hint = isMissing ? '; -c creates it' : '';
    throw new UsageError(`${file}: ${describeSystemError(error, 'read')}${hint}`);
  }
}
