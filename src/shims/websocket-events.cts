// Takes the place of ws/lib/event-target.js in the bundle: addEventListener and onmessage, as pages have them. Shoal
// listens with on().

module.exports = { EventTarget: {} };
