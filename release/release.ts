// `npm run release -- --out DIR`: makes everything that a release consists of, in one folder, and prints
// the size and the time of each artefact. Artefacts that need a program which is missing here are left
// out with a line that says so; with `--only` they are an error.
// Invariant: the same commit makes the same bytes for every artefact that docs/release.md promises.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { makeBundle } from './bundle.ts';
import { makeDeb } from './deb.ts';
import { executableNeeds, makeExecutables } from './executable.ts';
import { imageNeeds, makeImages } from './image.ts';
import { git, type ReleaseContext, runProgram, sourceDateOf } from './release-context.ts';
import { releaseNotes } from './release-notes.ts';

interface Step {
  readonly name: string;
  /** @returns the names of the files that it has made in `out` */
  readonly make: (context: ReleaseContext) => string[] | Promise<string[]>;
  /** Programs that it runs. */
  readonly needs?: readonly string[];
}

const SUMS = 'SHA256SUMS';
const USAGE = `usage: npm run release -- --out DIR [--draft] [--only STEP,STEP]
  --out DIR    folder for the artefacts; it must be empty
  --draft      a build to try: no tag, and the changes under "Unreleased" of CHANGELOG.md
  --only       these steps, after the bundle`;

const steps: readonly Step[] = [
  { name: 'npm', make: makeNpmPackage },
  { name: 'deb', make: makeDeb, needs: ['dpkg-deb'] },
  { name: 'executable', make: makeExecutables, needs: executableNeeds },
  { name: 'image', make: makeImages, needs: imageNeeds },
];

const root = resolve(import.meta.dirname, '..');

try {
  await release();
} catch (error) {
  console.error(`release: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function release(): Promise<void> {
  const { out, isDraft, only } = readFlags();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const changelog = readFileSync(join(root, 'CHANGELOG.md'), 'utf8');
  const tags = git(root, 'tag', '--points-at', 'HEAD').split('\n');
  const notes = releaseNotes({ version, changelog, tags, isDraft });
  if (!isDraft && git(root, 'status', '--porcelain') !== '') {
    throw new Error(
      'the work tree has changes that are not committed: commit them, or build a --draft',
    );
  }
  mkdirSync(out, { recursive: true });
  if (readdirSync(out).length > 0) throw new Error(`${out} is not empty`);
  const context = { root, out, version, sourceDate: sourceDateOf(root, process.env) };
  console.log(`shoal ${version}${isDraft ? ', a draft' : ''}`);
  await runStep({ name: 'bundle', make: makeBundle }, context);
  writeFileSync(join(out, 'CHANGES.md'), `${notes}\n`);
  for (const step of steps) {
    if (only !== undefined && !only.includes(step.name)) continue;
    const missing = (step.needs ?? []).filter((program) => !isInstalled(program));
    if (missing.length === 0) await runStep(step, context);
    else if (only === undefined) console.log(`${step.name}: left out, needs ${missing.join(', ')}`);
    else throw new Error(`${step.name} needs ${missing.join(', ')}`);
  }
  writeSums(out);
}

function readFlags() {
  const { values } = parseArgs({
    options: {
      out: { type: 'string' },
      draft: { type: 'boolean', default: false },
      only: { type: 'string' },
    },
  });
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !steps.some((step) => step.name === name));
  if (values.out === undefined) throw new Error(USAGE);
  if (unknown !== undefined) {
    throw new Error(`no step ${unknown}; steps: ${steps.map(({ name }) => name).join(', ')}`);
  }
  return { out: resolve(values.out), isDraft: values.draft, only };
}

async function runStep(step: Step, context: ReleaseContext): Promise<void> {
  const startedMs = performance.now();
  const files = await step.make(context);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(`${step.name} (${seconds} s)`);
  for (const file of files) {
    const kilobytes = (statSync(join(context.out, file)).size / 1000).toFixed(1);
    console.log(`  ${kilobytes.padStart(10)} KB  ${file}`);
  }
}

/** The archive that `npm publish` uploads. */
function makeNpmPackage({ root: folder, out }: ReleaseContext): string[] {
  const words = ['pack', '--json', '--ignore-scripts', `--pack-destination=${out}`];
  const [{ filename }] = JSON.parse(runProgram('npm', words, { cwd: folder }));
  return [filename];
}

/** As sha256sum -c reads it. */
function writeSums(out: string): void {
  const lines = readdirSync(out)
    .sort()
    .map((file) => {
      const hash = createHash('sha256')
        .update(readFileSync(join(out, file)))
        .digest('hex');
      return `${hash}  ${file}\n`;
    });
  writeFileSync(join(out, SUMS), lines.join(''));
}

function isInstalled(program: string): boolean {
  try {
    runProgram('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
}
