// Takes the place of ws/lib/stream.js in the bundle: createWebSocketStream, which Shoal does not call.

module.exports = undefined;
