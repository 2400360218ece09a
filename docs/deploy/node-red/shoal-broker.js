// The Node-RED node `shoal broker`: runs a Shoal node inside Node-RED while the flow is deployed. Its
// status shows what it does, its first output has events of clients, its second the messages.

const { createNode } = require('shoal');

/** The status is at most this late, milliseconds. */
const STATUS_MS = 2_000;

module.exports = (RED) => {
  function ShoalBroker(config) {
    RED.nodes.createNode(this, config);
    let broker;
    let isClosed = false;
    const show = (fill, text) =>
      this.status({ fill, shape: fill === 'green' ? 'dot' : 'ring', text });
    const report = (topic, payload) => this.send([{ topic, payload }, null]);
    const showClients = () => {
      const { port } = broker.listeners[0];
      const { clients } = broker.stats();
      show('green', `port ${port}: ${clients} ${clients === 1 ? 'client' : 'clients'}`);
    };

    const hooks = {
      connected: ({ id, username, address, version }) =>
        report('connected', { id, username, address, version }),
      disconnected: ({ id, username, address }, reason) =>
        report('disconnected', { id, username, address, reason }),
    };
    if (config.messages) {
      hooks.published = ({ topic, payload, qos, retain }, client) =>
        this.send([null, { topic, payload, qos, retain, client: client?.id }]);
    }

    show('yellow', 'starts');
    let timer;
    const starting = Promise.resolve()
      .then(() => createNode({ ...optionsOf(config, this.credentials), hooks, log: logTo(this) }))
      .then((started) => {
        broker = started;
        if (isClosed) return;
        showClients();
        timer = setInterval(showClients, STATUS_MS);
        void broker.ended.then((error) => {
          clearInterval(timer);
          if (error === undefined) return;
          this.error(error.message);
          show('red', error.code);
        });
      })
      .catch((error) => {
        // The message names the option, its value and the right form.
        this.error(error.message);
        show('red', error.message.split('\n', 1)[0]);
      });

    // A message that comes in is published by the broker.
    this.on('input', (message, _send, done) => {
      if (broker === undefined) {
        done(new Error('the broker does not run'));
        return;
      }
      const { topic, payload, qos, retain } = message;
      broker
        .publish({
          topic,
          payload: textOf(payload),
          qos: Number(qos ?? 0),
          retain: retain === true,
        })
        .then(() => done(), done);
    });

    this.on('close', (_isRemoved, done) => {
      isClosed = true;
      starting
        .then(() => {
          clearInterval(timer);
          return broker?.close();
        })
        .then(() => this.status({}))
        .then(() => done(), done);
    });
  }

  RED.nodes.registerType('shoal-broker', ShoalBroker, {
    credentials: { csk: { type: 'password' } },
  });
};

/** The fields of the editor, and below them whatever options are written as JSON. */
function optionsOf({ port, ws, bind, nid, mbs, auth, acl, data, more }, { csk } = {}) {
  const given = { port, ws, bind, nid, mbs, auth, acl, data, csk };
  const set = Object.entries(given).filter(([, value]) => value !== undefined && value !== '');
  return { http: 'off', control: 'off', ...Object.fromEntries(set), ...parsed(more) };
}

function parsed(more) {
  if (more === undefined || more.trim() === '') return {};
  try {
    return JSON.parse(more);
  } catch (error) {
    throw new Error(`the further options are no JSON: ${error.message}`);
  }
}

/** As Node-RED's own mqtt nodes do. */
function textOf(payload) {
  if (payload === undefined || Buffer.isBuffer(payload) || typeof payload === 'string')
    return payload;
  return typeof payload === 'object' ? JSON.stringify(payload) : String(payload);
}

function logTo(node) {
  return ({ level, event, fields }) => {
    const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`);
    const line = event + pairs.join('');
    if (level === 'error') node.error(line);
    else if (level === 'warn') node.warn(line);
    else if (level === 'info') node.debug(line);
  };
}
