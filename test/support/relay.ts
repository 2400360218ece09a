// Lets tests outside use TCP inside a network of namespaces: every namespace sees a Unix socket. Runs on a
// host of the network. The first line of a connection is `HOST PORT`; the relay passes on the rest. Run as: relay.ts SOCKET

import { connect, createServer, type Socket } from 'node:net';

const [, , path = ''] = process.argv;

createServer((near) => {
  near.once('data', (head: Buffer) => {
    near.pause();
    const end = head.indexOf('\n');
    const [host = '', port = ''] = head.toString('latin1', 0, end).split(' ');
    const far = connect({ host, port: Number(port), noDelay: true });
    far.write(head.subarray(end + 1));
    near.pipe(far).pipe(near);
    closeTogether(near, far);
    closeTogether(far, near);
  });
}).listen(path, () => console.log('relay ready'));

function closeTogether(one: Socket, other: Socket): void {
  one.on('error', () => other.destroy());
  one.on('close', () => other.destroy());
}
