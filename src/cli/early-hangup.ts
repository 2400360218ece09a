// Imported before everything else: without a handler SIGHUP ends the process, and loading the program
// takes a while. The start reads the files later anyway, so nothing is missed. The command that
// supports reloading replaces this handler.

process.on('SIGHUP', () => undefined);
