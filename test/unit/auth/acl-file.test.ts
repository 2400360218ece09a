import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAcl } from '../../../src/auth/acl-file.ts';

function problemsOf(source: string): readonly string[] {
  return parseAcl('acl', source).problems;
}

test("mosquitto's example file is read without changes", () => {
  const { acl, problems } = parseAcl(
    'aclfile',
    [
      '# This affects access control for clients with no username.',
      'topic read $SYS/#',
      '',
      '# This only affects clients with username "roger".',
      'user roger',
      'topic foo/bar',
      '',
      '# This affects all clients.',
      'pattern write $SYS/broker/connection/%c/state',
      '',
    ].join('\r\n'),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    acl.general.map(({ access, filter, lineNumber }) => [access, filter, lineNumber]),
    [['read', '$SYS/#', 2]],
  );
  assert.deepEqual(
    acl.users.get('roger')?.map(({ access, filter }) => [access, filter]),
    [['readwrite', 'foo/bar']],
  );
  assert.deepEqual(
    acl.patterns.map(({ access, filter }) => [access, filter]),
    [['write', '$SYS/broker/connection/%c/state']],
  );
});

test('names and topics may contain spaces, and several sections of one user are joined', () => {
  const { acl, problems } = parseAcl(
    'acl',
    'user Ada Lovelace\ntopic read a b/c\nuser x\ntopic y\nuser Ada Lovelace\ntopic write d\n',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    acl.users.get('Ada Lovelace')?.map(({ filter }) => filter),
    ['a b/c', 'd'],
  );
});

test('a single word after `topic` is the topic, even if it is an access word', () => {
  const [line] = parseAcl('acl', 'topic read').acl.general;
  assert.deepEqual([line?.access, line?.filter], ['readwrite', 'read']);
});

test('every mistake is reported with its file and line', () => {
  assert.deepEqual(
    problemsOf('topic read a\ntopik read b\nuser\ntopic\ntopic rw x\ntopic read a#'),
    [
      "acl:2: 'topik' is unknown; a line begins with user, topic, pattern or #",
      "acl:3: the name after 'user' is missing",
      'acl:4: the topic filter is missing',
      "acl:5: 'rw' is not one of read, write, readwrite and deny",
      "acl:6: 'a#' is not a topic filter: + must fill a whole level, # the last one",
    ],
  );
});

test('a comment after a rule is a mistake, not part of the topic', () => {
  assert.equal(problemsOf('topic read home/temperature # for all').length, 1);
});

test('the words of a password file given as ACL are not repeated', () => {
  const { problems } = parseAcl('pw', 'ann:secret\nusr bob\n');
  assert.match(problems[0] ?? '', /^pw:1: the first word is unknown/);
  assert.match(problems[1] ?? '', /^pw:2: 'usr' is unknown/);
});
