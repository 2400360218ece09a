// docs/api.md is made of src/embed/api.ts: each declaration with its comment. To write the page after a
// change: UPDATE_DOCS=1 npx tsx test/run.ts test/unit/embed

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';

const PAGE = 'docs/api.md';
const HEAD = `# API of the package

Made from the types of the package, \`src/embed/api.ts\`. [embedding.md](embedding.md) shows how to use it.
The options that come from the command line are in [configuration.md](configuration.md): the flag
\`-queue-length\` is the option \`queueLength\`.
`;

interface Declaration {
  readonly name: string;
  readonly comment: string;
  readonly code: string;
}

test('docs/api.md has every declaration of the API with its comment', () => {
  const declarations = declarationsOf(readFileSync('src/embed/api.ts', 'utf8'));
  const page = HEAD + declarations.map(sectionOf).join('');
  if (process.env.UPDATE_DOCS !== undefined) writeFileSync(PAGE, page);
  assert.equal(readFileSync(PAGE, 'utf8'), page);
});

test('every declaration of the API has a comment, or members that have', () => {
  const declarations = declarationsOf(readFileSync('src/embed/api.ts', 'utf8'));
  const bare = declarations.filter(({ comment, code }) => comment === '' && !code.includes('{'));
  assert.deepEqual(
    bare.map(({ name }) => name),
    [],
  );
});

test('the pages and the types have the same codes of errors', () => {
  const page = readFileSync('docs/embedding.md', 'utf8');
  const [, union = ''] =
    /export type ShoalErrorCode =([\s\S]*?);\n\n/.exec(readFileSync('src/embed/api.ts', 'utf8')) ??
    [];
  const codes = [...union.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code);
  const listed = [...page.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code);
  assert.deepEqual(listed.sort(), codes.sort());
});

/** A declaration begins at `export` and ends where the next comment or declaration begins. */
function declarationsOf(source: string): Declaration[] {
  const pattern =
    /^(?:\/\*\*\n?((?:.|\n(?! \*\/))*?)\n? ?\*\/\n)?export (?:declare )?(?:const|function|class|interface|type) (\w+)(?:.|\n)*?(?=\n\n|\n?(?![\s\S]))/gm;
  return [...source.matchAll(pattern)].map(([whole, comment = '', name = '']) => ({
    name,
    comment: textOf(comment),
    code: whole.slice(whole.indexOf('export ')).replace(/^export (declare )?/, ''),
  }));
}

function sectionOf({ name, comment, code }: Declaration): string {
  return `\n## ${name}\n\n${comment === '' ? '' : `${comment}\n\n`}\`\`\`ts\n${code.trimEnd()}\n\`\`\`\n`;
}

/** The text of a comment, with its tags as a list. */
function textOf(comment: string): string {
  const lines = comment.split('\n').map((line) => line.replace(/^ ?\*? ?/, '').trimEnd());
  const [text = '', ...tags] = lines
    .join(' ')
    .trim()
    .split(/ @(?=(?:param|returns|throws) )/);
  const items = tags.map((tag) => `- ${tag.replace(/^(param) (\w+)/, '`$2`:').trim()}`);
  const plain = [text, ...(items.length > 0 ? ['', ...items] : [])].join('\n');
  return plain.replace(/\{@link ([\w.]+)\}/g, '`$1`');
}
