// Imported before everything else: a SIGHUP would end the process until a handler is there, and
// loading the program takes a while. What was changed by then is read at the start anyway; a command
// that reloads puts its own handler in this one's place.

process.on('SIGHUP', () => undefined);
