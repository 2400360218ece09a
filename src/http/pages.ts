// The files of the dashboard, as build.mjs puts them into the bundle: compressed by brotli, and sent as they
// are to a client that accepts it. They hold no data of the site, so they need no token. Invariant: the
// browser runs nothing but these files, and no other site can put them into a frame.

import { brotliDecompressSync } from 'node:zlib';

/** build.mjs replaces it by the files as JSON: name, type, and brotli in base64. It is missing in the sources. */
declare const SHOAL_PAGES: string | undefined;

interface PackedPage {
  readonly type: string;
  readonly brotli: string;
}

export interface Page {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  vary: 'accept-encoding',
};

/** Decompressed once for each page, not for each request. */
const bodies = new Map<string, { readonly brotli: Buffer; readonly plain: Buffer }>();

const packed: Readonly<Record<string, PackedPage>> =
  typeof SHOAL_PAGES === 'undefined' ? {} : JSON.parse(SHOAL_PAGES);

/** @returns undefined if no page has this path */
export function findPage(path: string, acceptEncoding = ''): Page | undefined {
  const name = path === '/' ? 'index.html' : path.slice(1);
  const page = Object.hasOwn(packed, name) ? packed[name] : undefined;
  if (page === undefined) return undefined;
  const { brotli, plain } = bodiesOf(name, page);
  const headers = { ...PAGE_HEADERS, 'content-type': page.type };
  if (!acceptsBrotli(acceptEncoding)) return { headers, body: plain };
  return { headers: { ...headers, 'content-encoding': 'br' }, body: brotli };
}

/** Whether the header allows `br`, with any quality but 0. Source: RFC 9110 12.5.3. */
export function acceptsBrotli(acceptEncoding: string): boolean {
  return acceptEncoding.split(',').some((item) => {
    const [coding = '', quality = ''] = item.split(';', 2).map((part) => part.trim().toLowerCase());
    return coding === 'br' && Number(quality.replace(/^q=/, '') || 1) > 0;
  });
}

function bodiesOf(name: string, page: PackedPage) {
  const known = bodies.get(name);
  if (known !== undefined) return known;
  const brotli = Buffer.from(page.brotli, 'base64');
  const both = { brotli, plain: brotliDecompressSync(brotli) };
  bodies.set(name, both);
  return both;
}
