// Checks of what keeps strangers out: token, modes of files, certificates; and of the configuration.

import { isClustered } from '../config/config.ts';
import { estimatedBits, TOKEN_BITS_MIN, weakTokens } from '../config/token-strength.ts';
import { loadTls } from '../net/clients/tls-files.ts';
import { deriveKeyRing } from '../shared/key-ring.ts';
import type { Check } from './context.ts';
import { bad, type Finding, here, ok, warn } from './finding.ts';
import { messageOf } from './machine-checks.ts';

const token: Check = {
  id: 'token',
  run: async ({ config }) => {
    if (!isClustered(config)) return [ok('no -csk: this node runs alone')];
    const { tokens, clusterName } = config;
    const weak = weakTokens(tokens);
    const key = await keyNumber(tokens, clusterName);
    if (weak.length === 0) return [ok(`token strong; key ${key}, the same on every node`)];
    const [first = 1] = weak;
    const bits = estimatedBits(tokens[first - 1] ?? '');
    const text = `the token can be guessed: about ${bits} bits of ${TOKEN_BITS_MIN}; key ${key}`;
    const lines = ['shoal token make token', '-csk-file=token, with the same file on every node'];
    return [warn('weak-token', text, here(...lines))];
  },
};

const files: Check = {
  id: 'files',
  run: ({ warnings }) =>
    warnings.exposure.map((warning) => {
      const at = warning.lastIndexOf('; ');
      const line = warning.slice(at + 2).replace(/^run: /, '');
      return warn('exposed-file', warning.slice(0, at), here(line));
    }),
};

const certificates: Check = {
  id: 'certificates',
  run: ({ config }) => {
    const listeners = config.listeners.filter(({ tls }) => tls !== undefined);
    const findings = listeners.flatMap(({ tls }): Finding[] => {
      if (tls === undefined) return [];
      const cure = here('renew it, then: systemctl reload shoal, or kill -HUP PID');
      try {
        return loadTls(tls).warnings.map((text) => {
          const isOver = /: (expired|is not valid)/.test(text);
          return (isOver ? bad : warn)('certificate', `certificate ${text}`, cure);
        });
      } catch (error) {
        return [bad('certificate', messageOf(error), cure)];
      }
    });
    if (findings.length > 0 || listeners.length === 0) return findings;
    return [ok('certificates valid')];
  },
};

const configuration: Check = {
  id: 'configuration',
  run: ({ warnings }) =>
    warnings.configuration
      // The token has a check of its own.
      .filter((text) => !/token/.test(text))
      .map((text) => warn('configuration', text)),
};

export const accessChecks: readonly Check[] = [token, files, certificates, configuration];

/** A number by which people compare tokens and cluster names; every datagram has it in clear. */
async function keyNumber(tokens: readonly string[], clusterName: string): Promise<string> {
  const { gossip } = await deriveKeyRing(tokens, clusterName);
  return gossip.signing.id.toString(16).padStart(8, '0');
}
