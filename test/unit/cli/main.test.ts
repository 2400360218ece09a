import assert from 'node:assert/strict';
import { test } from 'node:test';
import { main } from '../../../src/cli/main.ts';
import { maskedTitle } from '../../../src/cli/process-title.ts';
import { fakeContext } from './fake-context.ts';

async function shoal(...tokens: string[]) {
  const context = fakeContext();
  const code = await main(tokens, context);
  return { code, out: context.out.join(''), err: context.err.join('') };
}

test('-version prints the version', async () => {
  for (const flag of ['-version', '--version']) {
    const { code, out } = await shoal(flag);
    assert.equal(code, 0);
    assert.match(out, /^shoal \d+\.\d+\.\d+/);
  }
});

test('-help shows flags as users type them, in groups, with their defaults', async () => {
  for (const flag of ['-h', '-help', '--help']) {
    const { code, out } = await shoal(flag);
    assert.equal(code, 0);
    assert.match(out, /^Cluster:$/m);
    assert.match(out, /^ {2}-nid <name> +node name/m);
    assert.match(out, /^ {2}-crp <port> .*\(default 7946\)/m);
    assert.doesNotMatch(out, /--[a-z]/);
  }
});

test('an unknown flag is refused with a suggestion', async () => {
  const { code, err } = await shoal('-nod=box1');
  assert.equal(code, 2);
  assert.equal(
    err,
    "shoal: unknown option '-nod'; did you mean -nid?\nshoal: -help lists all flags and commands\n",
  );
  const { err: capital } = await shoal('-Port=1884');
  assert.match(capital, /^shoal: unknown option '-Port'; did you mean -port\?\n/);
});

test('help and version are commands as well as flags', async () => {
  const { code, out } = await shoal('help');
  assert.equal(code, 0);
  assert.equal(out, (await shoal('-help')).out);
  assert.match((await shoal('help', 'passwd')).out, /^Usage: shoal passwd /);
  assert.equal((await shoal('version')).out, (await shoal('-version')).out);
});

test('the help of explain lists only the flags that explain uses', async () => {
  const { out } = await shoal('explain', '-h');
  const flags = [...out.matchAll(/^ {2}-([a-z]+)/gm)].map(([, flag]) => flag);
  assert.deepEqual(flags.sort(), ['acl', 'config', 'h', 'listener']);
});

test('a surplus argument is refused, not ignored', async () => {
  for (const tokens of [
    ['convert', 'a.conf', 'b.conf'],
    ['check', 'shoal.toml'],
    ['config', 'show', 'port'],
  ]) {
    const { code, err } = await shoal(...tokens);
    assert.equal(code, 2);
    assert.match(err, /^shoal: too many arguments/);
  }
});

test('an unknown command is refused with a suggestion', async () => {
  const { code, err } = await shoal('chek');
  assert.equal(code, 2);
  assert.equal(err, "shoal: unknown command or stray argument 'chek'; did you mean 'check'?\n");
});

test('a flag without its value is refused', async () => {
  const { code, err } = await shoal('-nid');
  assert.equal(code, 2);
  assert.match(err, /option '-nid <name>' argument missing/);
});

test('each mistake in the configuration has a line of its own', async () => {
  const { code, err } = await shoal('check', '-port=x', '-crp=y');
  assert.equal(code, 2);
  assert.match(err, /^shoal: .* -port: .*\nshoal: .* -crp: .*\n$/);
});

test('check accepts a configuration that a node starts with', async () => {
  const { code, out } = await shoal('check', '-nid=n1', '-csk=s', '-mbs=a:1,b');
  assert.equal(code, 0);
  assert.equal(out, 'configuration ok\n');
});

test('flags may stand before and after the name of a command', async () => {
  const { out } = await shoal('-nid=early', '-crp=1', 'config', 'show', '-nid=late');
  assert.match(out, /^nid +late +flag -nid$/m);
  assert.match(out, /^crp +1 +flag -crp$/m);
});

test('config show hides the token and prints the origin of each value', async () => {
  const { out } = await shoal('config', 'show', '-csk=verysecret', '-no-encrypt');
  assert.match(out, /^csk +\*\*\* +flag -csk$/m);
  assert.match(out, /^encrypt +false +flag -encrypt$/m);
  assert.match(out, /^port +1883 +default$/m);
  assert.doesNotMatch(out, /verysecret/);
});

test('config show prints every setting of a listener and its origin', async () => {
  const file = `acl = "a"
max-connections = 7
cert = "c"
key = "k"
[[listener]]
port = 1
[[listener]]
port = 2
protocol = "tls"
auth = "p"
ca = "ca"
require-certificate = "optional"
`;
  const context = { ...fakeContext(), readFile: () => file };
  await main(['config', 'show', '-config=s.toml'], context);
  const text = context.out.join('');
  assert.match(text, /^anonymous +true +default$/m, 'as it is without authentication');
  const rows = text.match(/^(\[\[| ).*/gm)?.map((row) => row.trim().replace(/ +/g, ' '));
  assert.deepEqual(rows, [
    '[[listener]] tcp *:1 file s.toml:5',
    'anonymous true default',
    'auth - default',
    'acl a file s.toml:1',
    'max-connections 7 file s.toml:2',
    'max-packet-size 1M default',
    'proxy-protocol false default',
    '[[listener]] tls *:2 file s.toml:7',
    'anonymous false default',
    'auth p file s.toml:10',
    'acl a file s.toml:1',
    'max-connections 7 file s.toml:2',
    'max-packet-size 1M default',
    'proxy-protocol false default',
    'cert c file s.toml:3',
    'key k file s.toml:4',
    'ca ca file s.toml:11',
    'crl - default',
    'require-certificate optional file s.toml:12',
    'use-identity-as-username false default',
    'tls-version 1.2 default',
  ]);
});

test('convert prints what a node reads, and lists the rest on standard error', async () => {
  const text = `port 1884
user root
bind_address ::1
mount_point a/
persistence true
prot 1
set_tcp_nodelay true
log_timestamp true
`;
  const context = { ...fakeContext(), readFile: () => text };
  assert.equal(await main(['convert', 'm.conf'], context), 0);
  assert.equal(
    context.out.join(''),
    'port = 1884\nbind = "::1"\nanonymous = false\n# data = "/var/lib/shoal"\n',
  );
  const told = context.err.join('').replace(/^shoal: /gm, '');
  assert.deepEqual(told.replace(/(: \w+:) .*/g, '$1').split('\n'), [
    'this is lost:',
    '  m.conf:4: mount_point:',
    'mosquitto does not know this either:',
    '  m.conf:6: prot:',
    'this is done otherwise:',
    '  m.conf:2: user:',
    '  m.conf:5: persistence:',
    'not needed here: set_tcp_nodelay (line 7), log_timestamp (line 8)',
    '',
  ]);
});

test('convert refuses a file that it cannot read', async () => {
  const { code, err } = await shoal('convert', 'nowhere.conf');
  assert.equal(code, 2);
  assert.equal(err, 'shoal: nowhere.conf: there is no such file\n');
});

test('the process title is the command line without the token', () => {
  assert.equal(
    maskedTitle(['-nid=a', '-csk=s3cret', '--csk', 's3cret', '-mbs', 'b']),
    'shoal -nid=a -csk=*** -csk=*** -mbs b',
  );
  assert.equal(maskedTitle(['-csk-file=/x']), 'shoal -csk-file=/x');
});
