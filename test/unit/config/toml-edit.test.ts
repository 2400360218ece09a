import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withSetting } from '../../../src/config/toml-edit.ts';

test('a value is replaced in its place, and its comment stays', () => {
  const before = '# box 1\nlog-level = "info"  # less at night\nport = 1883\n';
  assert.equal(
    withSetting(before, 'log-level', 'debug'),
    '# box 1\nlog-level = "debug"  # less at night\nport = 1883\n',
  );
  assert.equal(withSetting('nid = "a#b" # c\n', 'nid', 'd'), 'nid = "d" # c\n');
  assert.equal(withSetting('port = 1883', 'port', '1884'), 'port = 1884');
  assert.equal(withSetting('port = 1883\r\n', 'port', 'off'), 'port = "off"\r\n');
});

test('a value over several lines is replaced as a whole', () => {
  const before =
    'mbs = [ # others\n  "box2:7946", # cellar\n  "box3:7946",\n] # all\nnid = "box1"\n';
  assert.equal(withSetting(before, 'mbs', 'box2:7946'), 'mbs = "box2:7946" # all\nnid = "box1"\n');
});

test('a new option follows the others, above the tables', () => {
  const table = '\n# for the office\n[[listener]]\nprotocol = "ws"\nport = 9001\n';
  assert.equal(
    withSetting(`nid = "box1"\n${table}`, 'log-level', 'warn'),
    `nid = "box1"\nlog-level = "warn"\n${table}`,
  );
  assert.equal(withSetting('', 'log-level', 'warn'), 'log-level = "warn"\n');
  assert.equal(
    withSetting(`# shoal\n${table}`, 'log-level', 'warn'),
    `# shoal\nlog-level = "warn"\n${table}`,
  );
});

test('the port of a listener is not the port of the node', () => {
  const before = '[[listener]]\nprotocol = "ws"\nport = 9001\n';
  assert.equal(withSetting(before, 'port', '1884'), `port = 1884\n${before}`);
});

test('there is no new text where more would change', () => {
  const quoted = 'nid = """\nlog-level = "info"\n"""\n';
  assert.equal(withSetting(quoted, 'log-level', 'warn'), undefined);
  assert.equal(withSetting('nid = \n', 'nid', 'box1'), undefined, 'no TOML');
});
