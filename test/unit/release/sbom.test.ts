// The shape that CycloneDX 1.6 asks for. Its schema is too large to keep here; the output was validated
// with it when the format was written.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BundledPackage, sbomOf } from '../../../release/sbom.ts';

const HASH = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const packages: BundledPackage[] = [
  {
    ...{ name: '@scope/a', version: '1.0.0', license: 'MIT', dependencies: ['b', 'left-out'] },
    integrity: `sha512-${Buffer.alloc(64, 1).toString('base64')}`,
  },
  {
    ...{ name: 'b', version: '2.0.0', license: 'ISC', dependencies: [] },
    integrity: `sha512-${Buffer.alloc(64, 2).toString('base64')}`,
  },
];

interface SbomText {
  readonly bomFormat: string;
  readonly serialNumber: string;
  readonly components: readonly Record<string, unknown>[];
  readonly dependencies: unknown;
}

const subject = { version: '1.2.0', sha256: HASH, sourceDate: 1_700_000_000 };

test('the SBOM lists each bundled package with version, licence and hash', () => {
  const sbom = sbomOf(subject, packages) as SbomText;
  assert.equal(sbom.bomFormat, 'CycloneDX');
  assert.match(sbom.serialNumber, /^urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
  const [a, b] = sbom.components;
  assert.deepEqual(a, {
    ...{ type: 'library', 'bom-ref': 'pkg:npm/%40scope/a@1.0.0', group: '@scope', name: 'a' },
    ...{ version: '1.0.0', scope: 'required', licenses: [{ license: { id: 'MIT' } }] },
    hashes: [{ alg: 'SHA-512', content: '01'.repeat(64) }],
    purl: 'pkg:npm/%40scope/a@1.0.0',
  });
  assert.equal(b?.group, undefined);
  assert.deepEqual(sbom.dependencies, [
    { ref: 'pkg:npm/shoal@1.2.0', dependsOn: ['pkg:npm/%40scope/a@1.0.0', 'pkg:npm/b@2.0.0'] },
    { ref: 'pkg:npm/%40scope/a@1.0.0', dependsOn: ['pkg:npm/b@2.0.0'] },
    { ref: 'pkg:npm/b@2.0.0', dependsOn: [] },
  ]);
});

test('the same bundle has the same SBOM, another one another serial number', () => {
  const other = { ...subject, sha256: HASH.replace('00', 'ff') };
  const serialOf = (sbom: unknown) => (sbom as { serialNumber: string }).serialNumber;
  assert.deepEqual(sbomOf(subject, packages), sbomOf(subject, packages));
  assert.notEqual(serialOf(sbomOf(subject, packages)), serialOf(sbomOf(other, packages)));
});

test('a package without a hash in the lock file is an error', () => {
  const [first] = packages;
  assert.ok(first);
  assert.throws(() => sbomOf(subject, [{ ...first, integrity: '' }]), /@scope\/a: no sha512/);
});
