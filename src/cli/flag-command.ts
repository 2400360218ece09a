// commander's Command with a help that shows flags as users type them, with one dash. Subcommands
// inherit the class, and so the help.

import { Command, Help, type Option } from 'commander';

const HELP_WIDTH = 100;
const TERM_WIDTH_MAX = 30;

export class FlagCommand extends Command {
  override createCommand(name?: string): Command {
    return new FlagCommand(name);
  }

  override createHelp(): Help {
    return new FlagHelp();
  }
}

/** Puts a term that is too long for its column on a line of its own. */
class FlagHelp extends Help {
  override helpWidth = HELP_WIDTH;

  override optionTerm(option: Option): string {
    return singleDash(option.flags);
  }

  override subcommandTerm(command: Command): string {
    return command.name();
  }

  override padWidth(command: Command, helper: Help): number {
    return Math.min(TERM_WIDTH_MAX, super.padWidth(command, helper));
  }

  override formatItem(term: string, width: number, description: string, helper: Help): string {
    const isLong = helper.displayWidth(term) > width;
    const item = super.formatItem(isLong ? ' ' : term, width, description, helper);
    return isLong ? `  ${term}\n${item}` : item;
  }
}

/** Joins commander's error and its suggestion, which are two lines, into one. */
export function complaintOf(text: string): string {
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (.*)\?\)$/, '; did you mean $1?');
  return singleDash(line);
}

function singleDash(text: string): string {
  return text.replace(/(^|[\s'(,])--(?=[a-z]{2})/gi, '$1-');
}
