// Takes the place of the package `debug` in the bundle. mqtt-packet traces every packet through it,
// passwords included, wherever the environment says DEBUG=*; this one prints nothing.

/** Ignores the name, as the function that it returns ignores the message. */
function createDebug(_namespace: string): (...message: readonly unknown[]) => void {
  return () => undefined;
}

// mqtt-packet calls what require() returns, which a default export would not be.
module.exports = createDebug;
