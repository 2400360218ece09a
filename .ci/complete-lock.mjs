// Completes package-lock.json after `npm install` from a registry that serves only this platform's
// packages: npm omits those of other platforms from the lock file, and `npm ci` then refuses the file.
// Their parents' optionalDependencies name them; their entries have no integrity.

import { readFileSync, writeFileSync } from 'node:fs';

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const PROCESSORS = [
  'arm64',
  'arm',
  'x64',
  'ia32',
  'ppc64',
  'riscv64',
  's390x',
  'loong64',
  'mips64el',
  'wasm32',
];

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));

for (const [path, parent] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const known = [`${path}/node_modules/${name}`, `node_modules/${name}`];
    if (!/^\d/.test(version) || known.some((place) => place in lock.packages)) continue;
    lock.packages[`node_modules/${name}`] = entryFor(name, version, parent);
    console.log(`added ${name} ${version}`);
  }
}

const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(
  file,
  `${JSON.stringify({ ...lock, packages: Object.fromEntries(sorted) }, null, 2)}\n`,
);

function entryFor(name, version, parent) {
  const target = name.slice(name.lastIndexOf('/') + 1);
  const processor = PROCESSORS.find((word) => target.includes(word));
  const system = SYSTEMS.find((word) => target.includes(word));
  return {
    version,
    ...(processor !== undefined && { cpu: [processor] }),
    ...(parent.dev === true && { dev: true }),
    ...(target.includes('musl') && { libc: ['musl'] }),
    optional: true,
    ...(system !== undefined && { os: [system] }),
  };
}
