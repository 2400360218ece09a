// Certificates for tests, made by the openssl program in a temporary folder: an authority, the
// certificates that it issues, and its revocation list.

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The reason to skip tests that need certificates; false if openssl is installed. */
export function noOpenssl(): string | false {
  return spawnSync('openssl', ['version']).status === 0 ? false : 'needs the openssl program';
}

export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

const CA_CONFIG = `[ca]
default_ca = authority
[authority]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = optional
`;

export class TestAuthority {
  readonly folder: string;
  readonly ca: string;
  readonly crl: string;

  /**
   * @param folder empty; the caller removes it
   * @param issuer the authority above this one; without one it signs itself
   */
  constructor(folder: string, name = 'Test Authority', issuer?: TestAuthority) {
    this.folder = folder;
    this.ca = join(folder, 'ca.pem');
    this.crl = join(folder, 'crl.pem');
    writeFileSync(join(folder, 'ca.conf'), CA_CONFIG);
    writeFileSync(join(folder, 'index.txt'), '');
    writeFileSync(join(folder, 'serial'), '1000\n');
    const subject = ['-subj', `/CN=${name}`, '-addext', 'basicConstraints=critical,CA:TRUE'];
    if (issuer === undefined) {
      const validity = ['-out', 'ca.pem', '-days', '30'];
      this.#openssl('req', '-x509', ...newKey('ca.key'), ...validity, ...subject);
    } else {
      this.#openssl('req', '-new', ...newKey('ca.key'), '-out', 'ca.csr', ...subject);
      issuer.#sign(join(folder, 'ca.csr'), this.ca);
    }
    this.writeCrl();
  }

  /** @param subject as `/CN=box1`; @param names DNS names and addresses, as `DNS:localhost` */
  issue(file: string, subject: string, ...names: string[]): CertificateFiles {
    const extension = names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`];
    this.#openssl(
      ...['req', '-new', ...newKey(`${file}.key`), '-out', `${file}.csr`],
      ...['-subj', subject, ...extension],
    );
    const { folder } = this;
    this.#sign(`${file}.csr`, `${file}.pem`);
    return { cert: join(folder, `${file}.pem`), key: join(folder, `${file}.key`) };
  }

  /** One that was valid in 2020. */
  issueEnded(file: string, subject: string): CertificateFiles {
    const key = newKey(`${file}.key`);
    this.#openssl('req', '-new', ...key, '-out', `${file}.csr`, '-subj', subject);
    const in2020 = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'];
    this.#sign(`${file}.csr`, `${file}.pem`, in2020);
    return { cert: join(this.folder, `${file}.pem`), key: join(this.folder, `${file}.key`) };
  }

  revoke({ cert }: Pick<CertificateFiles, 'cert'>): void {
    this.#openssl('ca', '-config', 'ca.conf', '-revoke', cert);
    this.writeCrl();
  }

  writeCrl(): void {
    this.#openssl('ca', '-config', 'ca.conf', '-gencrl', '-out', 'crl.pem');
  }

  #sign(request: string, certificate: string, validity: readonly string[] = []): void {
    const files = ['-notext', '-in', request, '-out', certificate];
    this.#openssl('ca', '-batch', '-config', 'ca.conf', ...validity, ...files);
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: 'pipe' });
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}
