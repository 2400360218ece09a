import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeVersionFault } from '../../../src/cli/node-version.ts';

test('the error for a Node that is too old names the release that Shoal needs', () => {
  for (const version of ['18.19.0', '20.11.1', '8.0.0']) {
    const fault = nodeVersionFault(version) ?? '';
    assert.ok(
      fault.startsWith(`Node 20.12 or newer is required, and this is ${version}; nodejs.org`),
    );
  }
  for (const version of ['20.12.0', '20.20.2', '21.0.0', '24.1.0', '100.0.0']) {
    assert.equal(nodeVersionFault(version), undefined, version);
  }
});
