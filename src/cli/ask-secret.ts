// Asks for a secret on the terminal without showing it. Where standard input is no terminal, each
// question takes the next line of it, so that scripts can answer.

import type { ReadStream } from 'node:tty';

const CONTROL_C = '\x03';
const CONTROL_D = '\x04';
/** Takes the whole line back. */
const CONTROL_U = '\x15';
const BACKSPACES = ['\x7f', '\b'];
const LINE_ENDS = ['\r', '\n'];

/** @returns a function that asks one question after the other */
export function secretAsker(
  openInput: () => ReadStream,
  write: (text: string) => void,
): (question: string) => Promise<string> {
  /** What came after the line that was asked for. */
  let rest = '';
  return async (question) => {
    // A character may come in two pieces.
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
          if (isTerminal && character === CONTROL_D) throw new Error('no password was given');
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
