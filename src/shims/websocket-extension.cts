// Takes the place of ws/lib/extension.js in the bundle: the header of WebSocket extensions. The only one that ws has is
// the compression, which is off, so that ws neither reads nor writes the header.

module.exports = {};
