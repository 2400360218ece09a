// Asks for a secret on the terminal without echoing it. If standard input is not a terminal, each
// question reads the next line of it, so that scripts can answer.

import type { ReadStream } from 'node:tty';

const CONTROL_C = '\x03';
const CONTROL_D = '\x04';
/** Erases the whole line. */
const CONTROL_U = '\x15';
const BACKSPACES = ['\x7f', '\b'];
const LINE_ENDS = ['\r', '\n'];

/** @returns a function that asks one question and resolves with the answer; call it again for the next */
export function secretAsker(
  openInput: () => ReadStream,
  write: (text: string) => void,
): (question: string) => Promise<string> {
  /** Input received after the end of the last answer. */
  let rest = '';
  return async (question) => {
    // A UTF-8 character may arrive in two pieces.
    const input = openInput().setEncoding('utf8');
    write(question);
    const isTerminal = input.isTTY === true;
    if (isTerminal) input.setRawMode(true);
    try {
      let answer = '';
      for (;;) {
        for (const [index, character] of [...rest].entries()) {
          if (LINE_ENDS.includes(character)) {
            rest = [...rest]
              .slice(index + 1)
              .join('')
              .replace(/^\n/, '');
            return answer;
          }
          if (isTerminal && character === CONTROL_C) throw new Error('interrupted');
          if (isTerminal && character === CONTROL_D) throw new Error('no password was entered');
          if (isTerminal && BACKSPACES.includes(character)) {
            answer = [...answer].slice(0, -1).join('');
          } else if (isTerminal && character === CONTROL_U) answer = '';
          else answer += character;
        }
        const more = await nextChunk(input);
        if (more === undefined) {
          rest = '';
          return answer;
        }
        rest = more;
      }
    } finally {
      if (isTerminal) input.setRawMode(false);
      write('\n');
    }
  };
}

function nextChunk(input: ReadStream): Promise<string | undefined> {
  return new Promise((resolve) => {
    const finish = (chunk: string | undefined): void => {
      input.off('data', onData).off('end', onEnd).pause();
      resolve(chunk);
    };
    const onData = (chunk: string): void => finish(chunk);
    const onEnd = (): void => finish(undefined);
    if (input.readableEnded) resolve(undefined);
    else input.on('data', onData).on('end', onEnd).resume();
  });
}
