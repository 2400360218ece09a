// The files of the dashboard, as build.mjs puts them into the bundle: compressed once, sent as they are.
// They hold no data of the site, so they need no token. Invariant: the browser runs nothing but these
// files, and no other site can put them into a frame.

import { gunzipSync } from 'node:zlib';

/** build.mjs replaces it by the files: name, type, and gzip in base64. It is missing in the sources. */
declare const SHOAL_PAGES: Readonly<Record<string, PackedPage>> | undefined;

interface PackedPage {
  readonly type: string;
  readonly gzip: string;
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

/** Inflated once for each page, not for each request. */
const bodies = new Map<string, { readonly gzip: Buffer; readonly plain: Buffer }>();

const packed = typeof SHOAL_PAGES === 'undefined' ? {} : SHOAL_PAGES;

/** @returns undefined if no page has this path */
export function findPage(path: string, acceptEncoding = ''): Page | undefined {
  const name = path === '/' ? 'index.html' : path.slice(1);
  const page = Object.hasOwn(packed, name) ? packed[name] : undefined;
  if (page === undefined) return undefined;
  const { gzip, plain } = bodiesOf(name, page);
  const headers = { ...PAGE_HEADERS, 'content-type': page.type };
  if (!/\bgzip\b/.test(acceptEncoding)) return { headers, body: plain };
  return { headers: { ...headers, 'content-encoding': 'gzip' }, body: gzip };
}

function bodiesOf(name: string, page: PackedPage) {
  const known = bodies.get(name);
  if (known !== undefined) return known;
  const gzip = Buffer.from(page.gzip, 'base64');
  const both = { gzip, plain: gunzipSync(gzip) };
  bodies.set(name, both);
  return both;
}
