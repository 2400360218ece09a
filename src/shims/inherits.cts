// Takes the place of the package `inherits` in the bundle, which bl requires: this is what it returns on Node.

const { inherits } = require('node:util') as typeof import('node:util');

module.exports = inherits;
