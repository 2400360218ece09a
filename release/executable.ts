// The single executable: Node with shoal.js inside, as an archive and as a Debian package for each
// architecture. Node of this
// machine's architecture builds them all. They contain no code cache: a cache is valid on one
// architecture only and differs from build to build (docs/decisions/0156). Source: Node's single executable
// applications, `--build-sea`.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { tarGz } from '../src/cli/tar-file.ts';
import { makeExecutableDeb } from './deb.ts';
import {
  type Architecture,
  architectures,
  DEBIAN_NAMES,
  nodeBinary,
  stripProgram,
} from './node-binary.ts';
import { type ReleaseContext, runProgram, withFolder } from './release-context.ts';

export const executableNeeds = ['npm', 'tar', 'dpkg-deb', ...architectures.map(stripProgram)];

/** @returns the names of the files that it has made in `out` */
export async function makeExecutables(context: ReleaseContext): Promise<string[]> {
  return await withFolder(async (folder) => {
    copyFileSync(join(context.out, 'shoal.js'), join(folder, 'shoal.js'));
    const binaries = new Map(architectures.map((each) => [each, nodeBinary(each, folder)]));
    const builder = binaries.get(arch() as Architecture);
    if (builder === undefined) throw new Error(`no Node for ${arch()} builds the executables`);
    const files: string[] = [];
    for (const [architecture, { program, licence }] of binaries) {
      const output = join(folder, `shoal-${architecture}`);
      const settings = join(folder, `${architecture}.json`);
      writeFileSync(settings, settingsFor(program, output));
      runProgram(builder.program, ['--build-sea', settings], { cwd: folder });
      files.push(writeArchive(context, architecture, readFileSync(output), licence));
      files.push(await makeExecutableDeb(context, DEBIAN_NAMES[architecture], output, licence));
    }
    return files;
  });
}

/** The executable contains the path of `main` as it is here, which must be the same everywhere. */
function settingsFor(executable: string, output: string): string {
  return JSON.stringify({
    ...{ main: 'shoal.js', executable, output },
    ...{ disableExperimentalSEAWarning: true, useCodeCache: false },
  });
}

function writeArchive(
  { root, out, version, sourceDate }: ReleaseContext,
  architecture: Architecture,
  program: Buffer,
  nodeLicence: Buffer,
): string {
  const folder = `shoal-${version}`;
  const file = `${folder}-linux-${architecture}.tar.gz`;
  const text = (name: string, content: Buffer) => ({
    ...{ name: `${folder}/${name}`, content, mode: 0o644 },
  });
  const archive = tarGz(
    [
      { name: `${folder}/shoal`, content: program, mode: 0o755 },
      text('LICENSE', readFileSync(join(root, 'LICENSE'))),
      text('LICENSES.txt', readFileSync(join(out, 'LICENSES.txt'))),
      text('LICENSE-node.txt', nodeLicence),
    ],
    sourceDate * 1000,
  );
  writeFileSync(join(out, file), archive);
  return file;
}
