// Imported before everything else: until a handler is there SIGHUP ends the process, and SIGUSR1 opens
// Node's debugger, while loading the program takes some 50 ms. The start reads the files later anyway,
// so that an early SIGHUP loses nothing. Commands replace these handlers with their own.

for (const signal of ['SIGHUP', 'SIGUSR1'] as const) process.on(signal, () => undefined);
