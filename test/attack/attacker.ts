// The process of an attack: `attacker.ts NAME HOST PORT`. Prepares, reports 'ready' to its parent, and
// begins when the parent answers.

import { attacks } from './attacks.ts';

const [name, host = '127.0.0.1', port] = process.argv.slice(2);
const attack = attacks.find((one) => one.name === name);
if (attack === undefined) throw new Error(`no attack has the name ${name}`);
const begin = await attack.prepare({ host, port: Number(port) });
process.on('message', begin);
process.on('disconnect', () => process.exit());
process.send?.('ready');
