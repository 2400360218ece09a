import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAcl } from '../../../src/auth/acl-file.ts';

function problemsOf(source: string): readonly string[] {
  return parseAcl('acl', source).problems;
}

test('the example of mosquitto is read as it is', () => {
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

test('names and topics may hold spaces, and sections of one user are one', () => {
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

test('a single word behind topic is the topic, even where it is an access word', () => {
  const [line] = parseAcl('acl', 'topic read').acl.general;
  assert.deepEqual([line?.access, line?.filter], ['readwrite', 'read']);
});

test('every mistake is told with its file and line', () => {
  assert.deepEqual(
    problemsOf('topic read a\ntopik read b\nuser\ntopic\ntopic rw x\ntopic read a#'),
    [
      "acl:2: 'topik' is not known; a line begins with user, topic, pattern or #",
      "acl:3: 'user' without a name",
      'acl:4: no topic filter',
      "acl:5: 'rw' is no access: read, write, readwrite or deny",
      "acl:6: 'a#' is no topic filter: + fills a whole level, # the last one",
    ],
  );
});

test('a comment behind a rule is a mistake, not a part of the topic', () => {
  assert.equal(problemsOf('topic read home/temperature # for all').length, 1);
});
