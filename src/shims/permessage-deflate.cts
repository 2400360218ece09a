// Takes the place of ws/lib/permessage-deflate.js in the bundle. Listeners and clients of Shoal switch the
// compression of WebSocket messages off (decision 0071); ws then asks this module for a name only.

module.exports = { extensionName: 'permessage-deflate' };
