// System errors in words for the user, with what to do about them where that is known. The words
// name no path, host or port: the caller's line has named it already. An error that has no words
// here keeps the system's own text, without the path.

/** What the program was doing: the same code means different things to a file and to a network. */
export type SystemAction = 'read' | 'write' | 'network';

const ANY: Readonly<Record<string, string>> = {
  EMFILE: 'this process has no file descriptor left; raise its limit (ulimit -n, LimitNOFILE=)',
  ENFILE: 'the system has no file descriptor left; raise fs.file-max',
  ENOMEM: 'the system has no memory left',
  EIO: 'the disk reports an error; see the log of the system (dmesg)',
};

const READ: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file: a part of its path is a file, not a folder',
  EISDIR: 'is a folder, not a file',
  EACCES: 'this user may not read it',
  EPERM: 'this user may not read it',
  ELOOP: 'its links lead in a circle',
};

const WRITE: Readonly<Record<string, string>> = {
  ...READ,
  ENOENT: 'there is no such folder',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the disk is mounted read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota of this user is used up',
};

const NO_ROUTE = "there is no route to it; check this machine's address, gateway and cable";
const NO_BUFFERS = 'the system has no room left for network buffers';
const NOT_FOUND = 'the name server does not know this name; check its spelling, or use an address';

const NETWORK: Readonly<Record<string, string>> = {
  EAI_AGAIN: 'the name server does not answer; check the network and /etc/resolv.conf',
  ETIMEOUT: 'the name server does not answer; check the network and /etc/resolv.conf',
  EAI_FAIL: 'the name server reports a failure',
  EAI_SYSTEM: 'the system could not ask the name server',
  ENOTFOUND: NOT_FOUND,
  ENODATA: NOT_FOUND,
  EAI_NODATA: NOT_FOUND,
  EAI_NONAME: NOT_FOUND,
  ECONNREFUSED: 'nothing listens on that port; is the program there running?',
  ECONNRESET: 'the other side ended the connection',
  EPIPE: 'the other side ended the connection',
  ETIMEDOUT: 'no answer; is the host up, and does every firewall let the port through?',
  EHOSTUNREACH: 'the host does not answer; is it switched on and in this network?',
  EHOSTDOWN: 'the host does not answer; is it switched on and in this network?',
  ENETUNREACH: NO_ROUTE,
  ENETDOWN: NO_ROUTE,
  EADDRINUSE: 'another program uses this port',
  EADDRNOTAVAIL: 'no interface of this machine has this address',
  EACCES: 'a firewall on this machine blocks it; allow outgoing traffic to that port',
  EPERM: 'a firewall on this machine blocks it; allow outgoing traffic to that port',
  EMSGSIZE: 'the datagram is larger than the path takes',
  ENOBUFS: NO_BUFFERS,
  ENOMEM: NO_BUFFERS,
};

const WORDS: Readonly<Record<SystemAction, Readonly<Record<string, string>>>> = {
  read: { ...ANY, ...READ },
  write: { ...ANY, ...WRITE },
  network: { ...ANY, ...NETWORK },
};

/** @returns a phrase without a full stop, to follow a colon */
export function describeSystemError(error: unknown, action: SystemAction): string {
  if (!(error instanceof Error)) return String(error);
  const { code = '', message, reason } = error as NodeJS.ErrnoException & { reason?: string };
  const words = WORDS[action][code];
  if (words !== undefined) return words;
  // The code of a program that has failed is a number.
  const isTls = typeof code === 'string' && code.startsWith('ERR_SSL_');
  // The message of OpenSSL has addresses, names of its source files and a line end.
  if (isTls && reason !== undefined) return `TLS: ${reason}`;
  // A name with several addresses, all of which fail, brings a code and no message. Node writes
  // file errors as "EBUSY: resource busy or locked, open '/path'".
  return message.replace(/, \w+( '.*')?$/, '') || code || error.name;
}
