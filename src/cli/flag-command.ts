// commander's Command with a help that shows flags as users type them, with one dash, and the commands
// before the flags. Subcommands inherit the class, and so the help.

import { Command, Help, type Option } from 'commander';
import { formatNumber } from '../shared/units.ts';

const TERM_WIDTH_MAX = 26;

export class FlagCommand extends Command {
  override createCommand(name?: string): Command {
    return new FlagCommand(name);
  }

  override createHelp(): Help {
    return new FlagHelp();
  }
}

class FlagHelp extends Help {
  /** commander would not wrap the descriptions on a terminal of 60 columns. */
  override minWidthToWrap = 20;

  override optionTerm(option: Option): string {
    return singleDash(option.flags);
  }

  /** Defaults in the words that the options of the node have. */
  override optionDescription(option: Option): string {
    return super.optionDescription(option).replace(/\(default: "?([^")]*)"?\)$/, '(default $1)');
  }

  override subcommandTerm(command: Command): string {
    return command.name();
  }

  override padWidth(command: Command, helper: Help): number {
    return Math.min(TERM_WIDTH_MAX, super.padWidth(command, helper));
  }

  /** Puts a term that is too long for its column on a line of its own. */
  override formatItem(term: string, width: number, description: string, helper: Help): string {
    const isLong = helper.displayWidth(term) > width;
    const item = super.formatItem(isLong ? ' ' : term, width, description, helper);
    return isLong ? `  ${term}\n${item}` : item;
  }

  /** The flags fill several screens: commands after them would scroll away. */
  override formatHelp(command: Command, helper: Help): string {
    const help = super.formatHelp(command, helper);
    const commandsAt = help.indexOf('\nCommands:\n');
    const flagsAt = help.search(/\n[A-Z]\w+:\n {2}-/);
    if (commandsAt === -1 || flagsAt === -1) return help;
    return help.slice(0, flagsAt) + help.slice(commandsAt) + help.slice(flagsAt, commandsAt);
  }
}

/**
 * Commander's errors in the words of ours.
 * @param command as `retained rm`
 */
export function complaintOf(text: string, command = 'shoal'): string {
  const line = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\(Did you mean (.*)\?\)$/, '; did you mean $1?')
    .replace(/^option '(?:-\w, )?--(\S+) (<.*>)' argument missing$/, '-$1 needs a value: -$1=$2')
    .replace(
      /^option '(?:-\w, )?--(\S+) <.*>' argument '(.*)' is invalid\. Allowed choices are (.*)\.$/,
      "bad value '$2' for -$1: expected one of $3",
    )
    .replace(
      /^missing required argument '(.*)'$/,
      (_, argument: string) => `${command} needs ${argument.toUpperCase()}`,
    )
    .replace(
      /^too many arguments for .* Expected (\d+) arguments? but got (\d+)\.$/,
      (_, wanted: string, given: string) =>
        wanted === '0'
          ? `${command} takes no argument${ARGUMENT_HINTS[command] ?? ''}`
          : `${command} takes ${formatNumber(Number(wanted), 'argument')}, not ${given}: put an argument with blanks in quotes`,
    )
    .replace(/^unknown command '/, `${command} has no command '`);
  if (NODE_FLAG.test(line) && MQTT_COMMANDS.includes(command)) {
    return `${line.replace(/'-(-\w+).*/, "'$1'")}: ${command} connects to a port, -h HOST -p PORT or -L URL, and asks no node by name`;
  }
  const letter = /^unknown option '-(\w)'/.exec(line)?.[1] ?? '';
  const hint = LETTER_HINTS[letter];
  return singleDash(hint === undefined ? line : `unknown option '-${letter}': ${hint}`);
}

const TARGET_HINT = ': -client=ID, -user=NAME or -address=ADDRESS says whom';

/** What the user may have meant with an argument. */
const ARGUMENT_HINTS: Readonly<Record<string, string>> = { ban: TARGET_HINT, unban: TARGET_HINT };

const MQTT_COMMANDS: readonly string[] = ['pub', 'sub', 'rr', 'bench'];
const NODE_FLAG = /^unknown option '--(nid|control)'/;

/** What the single-letter flags of mosquitto and of most programs are called here. */
const LETTER_HINTS: Readonly<Record<string, string>> = {
  c: '-config=FILE reads a configuration file; shoal convert translates a mosquitto.conf',
  d: 'Shoal runs in the foreground; docs/cli.md has a systemd unit',
  p: '-port=PORT sets the TCP port',
  t: 'shoal check tests a configuration',
  v: '-version prints the version, -log-level=debug writes more to the log',
};

function singleDash(text: string): string {
  return text.replace(/(^|[\s'(,])--(?=[a-z]{2})/gi, '$1-');
}
