// `shoal explain USER CLIENTID TOPIC -acl FILE`: prints the line of the ACL that allows or denies a
// client to read, write and subscribe. Decides with the same code as the broker.

import type { Command } from 'commander';
import { AccessError } from '../../auth/access-error.ts';
import { type Acl, parseAcl } from '../../auth/acl-file.ts';
import { Permissions, type Rule, rulesOf } from '../../auth/permissions.ts';
import type { Config } from '../../config/config.ts';
import {
  isClosedToClients,
  isSharedFilter,
  isTopicFilter,
  isWildcard,
  parseSharedFilter,
} from '../../mqtt/topic.ts';
import { describeSystemError } from '../../shared/describe-system-error.ts';
import { addConfigOptions, configOf } from '../config-options.ts';
import type { CliContext } from '../context.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

const PART = ' (accepted, but only messages that the user may read are delivered)';

export function addExplain(program: Command, context: CliContext): void {
  const command = program
    .command('explain')
    .usage('USER CLIENTID TOPIC -acl FILE [-listener PORT]')
    .argument('<user>', 'user name; - for a client without one')
    .argument('<clientid>')
    .argument('<topic>', 'a topic, or the topic filter of a subscription')
    .option('--listener <port>', 'listener whose ACL decides, if listeners have different ones')
    .description('print the line of the ACL that allows or denies a topic');
  addConfigOptions(command, ['acl', 'config']).action(
    (user: string, clientId: string, topic: string) => {
      if (user === '') {
        throw new UsageError('the user name is empty; write - for a client without one');
      }
      const { config } = configOf(command, context);
      const aclFile = aclOf(config, command.opts<{ listener?: string }>().listener);
      const { acl, problems } = parseAcl(aclFile, readOrRefuse(aclFile, context));
      if (problems.length > 0) throw new AccessError(problems);
      const username = user === '-' ? undefined : user;
      for (const line of explain(acl, username, clientId, topic)) context.write(`${line}\n`);
      context.exitCode = exitCodes.ok;
    },
  );
}

/** The ACL of the named listener; without a name, the one ACL that all listeners share. */
function aclOf({ listeners }: Config, wanted: string | undefined): string {
  const named = listeners.filter(({ port }) => wanted === undefined || `${port}` === wanted);
  const ports = listeners.map(({ port }) => port).join(', ');
  if (named.length === 0)
    throw new UsageError(`no listener has port ${wanted}; the ports are ${ports}`);
  const [aclFile, ...others] = new Set(named.map((listener) => listener.aclFile));
  if (others.length > 0) {
    throw new UsageError(
      `the listeners have different ACLs: choose one with -listener=PORT (${ports})`,
    );
  }
  if (aclFile === undefined) throw new UsageError('explain needs -acl FILE');
  return aclFile;
}

function readOrRefuse(file: string, context: CliContext): string {
  try {
    return context.readFile(file);
  } catch (error) {
    throw new AccessError([`-acl=${file}: ${describeSystemError(error, 'read')}`]);
  }
}

function explain(
  acl: Acl,
  username: string | undefined,
  clientId: string,
  topic: string,
): string[] {
  const filter = isSharedFilter(topic) ? parseSharedFilter(topic)?.filter : topic;
  if (filter === undefined || !isTopicFilter(filter)) {
    throw new UsageError(`'${topic}' is neither a topic nor a topic filter`);
  }
  const rules = rulesOf(acl, username, clientId);
  const rights = new Permissions(rules);
  const say = (what: string, rule: Rule | undefined, isPart = false): string => {
    const verdict = rule?.deny !== false ? 'denied' : isPart ? 'in part' : 'allowed';
    const effect = verdict === 'in part' ? PART : '';
    return `${what.padEnd(10)} ${verdict.padEnd(8)} ${reason(acl, username, rule)}${effect}`;
  };
  const isTopic = filter === topic && !isWildcard(topic);
  return [
    ...(isTopic ? [say('read', rights.decide('read', topic)), writeLine(say, rights, topic)] : []),
    say('subscribe', rights.decideSubscribe(filter), !rights.mayReadAll(filter)),
  ];
}

function writeLine(
  say: (what: string, rule: Rule | undefined) => string,
  rights: Permissions,
  topic: string,
): string {
  if (isClosedToClients(topic)) return 'write      denied   no client may publish to this topic';
  return say('write', rights.decide('write', topic));
}

function reason(acl: Acl, username: string | undefined, rule: Rule | undefined): string {
  if (rule?.line !== undefined) return `${acl.path}:${rule.line.lineNumber}: ${rule.line.text}`;
  const who = username === undefined ? 'clients without a user name' : `user ${username}`;
  return `no line of ${acl.path} for ${who} allows it`;
}
