// Loaded into each node of the demo before the node itself. Ends the node when the demo ends, even by
// `kill -9`: the demo holds the other end of standard input, which the system closes with it.

process.stdin.on('end', () => process.kill(process.pid, 'SIGTERM')).resume();
