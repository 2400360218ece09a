// Takes the place of node:crypto in the bundle, as perf-hooks.ts does: one require for all modules.

// biome-ignore lint/style/useNodejsImportProtocol: build.mjs replaces the other name by this file.
import crypto from 'crypto';

export const {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
  verify,
  X509Certificate,
} = crypto;

export default crypto;
