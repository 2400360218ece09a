// The software bill of materials: the packages that the bundler put into shoal.js, with the versions and
// hashes of the lock file. Pure. Source: CycloneDX 1.6 (ECMA-424), JSON format.
// Invariant: the same bundle yields the same bytes, so the serial number comes from the bundle's hash.

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Names that its package.json depends on, bundled or not. */
  readonly dependencies: readonly string[];
  /** From the lock file: `sha512-BASE64` of the package's archive. */
  readonly integrity: string;
}

export interface SbomSubject {
  readonly version: string;
  /** SHA-256 of shoal.js, hexadecimal. */
  readonly sha256: string;
  /** Seconds since 1970. */
  readonly sourceDate: number;
}

export function sbomOf(subject: SbomSubject, packages: readonly BundledPackage[]): unknown {
  const { version, sha256, sourceDate } = subject;
  const own = `pkg:npm/shoal@${version}`;
  const references = new Map(packages.map((each) => [each.name, packageUrl(each)]));
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(sha256)}`,
    version: 1,
    metadata: {
      timestamp: new Date(sourceDate * 1000).toISOString(),
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': own,
        name: 'shoal',
        version,
        hashes: [{ alg: 'SHA-256', content: sha256 }],
        licenses: [{ license: { id: 'Apache-2.0' } }],
        purl: own,
      },
    },
    components: packages.map(componentOf),
    dependencies: [
      { ref: own, dependsOn: [...references.values()] },
      ...packages.map((each) => ({
        ref: packageUrl(each),
        dependsOn: each.dependencies.flatMap((name) => references.get(name) ?? []),
      })),
    ],
    compositions: [{ aggregate: 'complete', assemblies: [own] }],
  };
}

function componentOf(each: BundledPackage): unknown {
  const [algorithm = '', hash = ''] = each.integrity.split('-');
  if (algorithm !== 'sha512') throw new Error(`${each.name}: no sha512 in package-lock.json`);
  return {
    type: 'library',
    'bom-ref': packageUrl(each),
    ...splitName(each.name),
    version: each.version,
    scope: 'required',
    hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }],
    licenses: [{ license: { id: each.license } }],
    purl: packageUrl(each),
  };
}

/** `@scope/name` has a group in CycloneDX. */
function splitName(name: string): { group?: string; name: string } {
  const [scope, rest] = name.split('/');
  return rest === undefined ? { name } : { group: scope ?? '', name: rest };
}

function packageUrl({ name, version }: BundledPackage): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** A UUID of version 8 (RFC 9562 5.8) from a hash. */
function uuidOf(sha256: string): string {
  const digits = [...sha256.slice(0, 32)];
  digits[12] = '8';
  digits[16] = 'a';
  const text = digits.join('');
  return text.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
