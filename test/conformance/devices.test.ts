// The packets of devices and programs that people have at home, in the order in which these send them, against
// the broker. docs/devices.md has their settings. Sources: Tasmota xdrv_02_9_mqtt.ino and its PubSubClient;
// ESPHome components/mqtt and ESP-IDF's esp-mqtt; Zigbee2MQTT lib/mqtt.ts on MQTT.js; for Shelly, whose firmware is
// closed, its API documentation.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type TestClient, World } from '../support/mqtt-world.ts';
import type { ConnectFields } from '../support/wire.ts';

const SECOND = 1000;
const KEEP_ALIVE_FACTOR = 1.5;

interface Device {
  readonly connect: ConnectFields & { readonly keepAlive: number };
  /** Topic and payload that it publishes, retained, once it is connected. */
  readonly birth: readonly [string, string];
  /** Filters with their QoS, each in a SUBSCRIBE of its own. */
  readonly filters: readonly (readonly [string, 0 | 1])[];
  readonly command: string;
  readonly state: { readonly topic: string; readonly qos: 0 | 1; readonly retain: boolean };
}

const devices: Readonly<Record<string, Device>> = {
  Tasmota: {
    connect: {
      ...{ version: 4, clientId: 'DVES_3A5F1C', clean: true, keepAlive: 30 },
      ...{ username: 'DVES_USER', password: 'secret' },
      will: { topic: 'tele/tasmota_3A5F1C/LWT', payload: 'Offline', qos: 1, retain: true },
    },
    birth: ['tele/tasmota_3A5F1C/LWT', 'Online'],
    filters: [
      ['cmnd/tasmota_3A5F1C/#', 0],
      ['cmnd/tasmotas/#', 0],
      ['cmnd/DVES_3A5F1C_fb/#', 0],
    ],
    command: 'cmnd/tasmota_3A5F1C/POWER',
    state: { topic: 'stat/tasmota_3A5F1C/RESULT', qos: 0, retain: false },
  },
  ESPHome: {
    connect: {
      ...{ version: 4, clientId: 'livingroom-a4cf12ab34cd', clean: false, keepAlive: 15 },
      ...{ username: 'esp', password: 'secret' },
      will: { topic: 'livingroom/status', payload: 'offline', qos: 0, retain: true },
    },
    birth: ['livingroom/status', 'online'],
    filters: [['livingroom/switch/relay/command', 0]],
    command: 'livingroom/switch/relay/command',
    state: { topic: 'livingroom/switch/relay/state', qos: 0, retain: true },
  },
  Zigbee2MQTT: {
    connect: {
      ...{ version: 4, clientId: 'mqttjs_5d1c8a2e', clean: true, keepAlive: 60 },
      will: {
        ...{ topic: 'zigbee2mqtt/bridge/state', payload: '{"state":"offline"}' },
        ...{ qos: 1, retain: true },
      },
    },
    birth: ['zigbee2mqtt/bridge/state', '{"state":"online"}'],
    filters: [['zigbee2mqtt/#', 0]],
    command: 'zigbee2mqtt/lamp/set',
    state: { topic: 'zigbee2mqtt/lamp', qos: 0, retain: false },
  },
  'Shelly of the first generation': {
    connect: {
      ...{ version: 4, clientId: 'shelly1-B929CC', clean: true, keepAlive: 60 },
      ...{ username: 'shelly', password: 'secret' },
      will: { topic: 'shellies/shelly1-B929CC/online', payload: 'false', qos: 0, retain: true },
    },
    birth: ['shellies/shelly1-B929CC/online', 'true'],
    filters: [
      ['shellies/command', 0],
      ['shellies/shelly1-B929CC/command', 0],
      ['shellies/shelly1-B929CC/relay/0/command', 0],
    ],
    command: 'shellies/shelly1-B929CC/relay/0/command',
    state: { topic: 'shellies/shelly1-B929CC/relay/0', qos: 0, retain: false },
  },
  'Shelly Plus, Pro and later': {
    connect: {
      ...{ version: 4, clientId: 'shellyplus1pm-a8032abe54dc', clean: true, keepAlive: 60 },
      ...{ username: 'shelly', password: 'secret' },
      will: { topic: 'shellyplus1pm-a8032abe54dc/online', payload: 'false', qos: 1, retain: true },
    },
    birth: ['shellyplus1pm-a8032abe54dc/online', 'true'],
    filters: [
      ['shellyplus1pm-a8032abe54dc/rpc', 1],
      ['shellyplus1pm-a8032abe54dc/command', 1],
      ['shellyplus1pm-a8032abe54dc/command/+', 1],
    ],
    command: 'shellyplus1pm-a8032abe54dc/rpc',
    state: { topic: 'shellyplus1pm-a8032abe54dc/status/switch:0', qos: 1, retain: true },
  },
};

for (const [name, device] of Object.entries(devices)) {
  test(`${name} connects, obeys commands, and leaves its will when it fails`, () => {
    const world = new World();
    const home = world.connect('home', { version: 5 });
    const [birthTopic, online] = device.birth;
    home.subscribe([birthTopic, device.state.topic]);

    const client = start(world, device);
    assert.deepEqual(home.payloads(), [online]);
    home.publish(device.command, 'ON', { qos: 1 });
    const commands = client.messages().filter(({ topic }) => topic === device.command);
    assert.deepEqual(
      commands.map(({ payload }) => `${payload}`),
      ['ON'],
    );
    const { topic, qos, retain } = device.state;
    client.publish(topic, 'on', { qos, retain });
    assert.deepEqual(home.payloads(), ['on']);

    world.advance(device.connect.keepAlive * KEEP_ALIVE_FACTOR * SECOND - 1);
    home.expectNothing();
    world.advance(2);
    assert.deepEqual(home.payloads(), [`${device.connect.will?.payload}`]);
    const late = world.connect('late', { version: 5 });
    late.subscribe([birthTopic]);
    assert.deepEqual(late.payloads(), [`${device.connect.will?.payload}`]);
  });

  test(`${name} takes the place of its own dead connection`, () => {
    const world = new World();
    const dead = start(world, device);
    const again = start(world, device);
    assert.ok(dead.closed);
    assert.equal(again.connack.sessionPresent, device.connect.clean === false);
    const late = world.connect('late', { version: 5 });
    late.subscribe([device.birth[0]]);
    assert.deepEqual(
      late.payloads(),
      [device.birth[1]],
      'online, not the will of the old connection',
    );
  });
}

test('Zigbee2MQTT publishes the list of its devices, which is large, and receives it itself', () => {
  const world = new World();
  const client = start(world, devices.Zigbee2MQTT as Device);
  const list = `[${'{"ieee_address":"0x00158d0001234567"},'.repeat(8000)}0]`;
  client.publish('zigbee2mqtt/bridge/devices', list, { qos: 0, retain: true });
  assert.deepEqual(client.payloads().at(-1)?.length, list.length);
  const home = world.connect('home', { version: 5 });
  home.subscribe(['zigbee2mqtt/bridge/devices']);
  assert.equal(home.payloads()[0]?.length, list.length);
});

/** Connects as the device does: will, birth, subscriptions. */
function start(world: World, { connect, birth, filters }: Device): TestClient {
  const { clientId = '', ...fields } = connect;
  const client = world.connect(`${clientId}`, fields);
  const [topic, payload] = birth;
  client.publish(topic, payload, { qos: 0, retain: true });
  for (const [filter, qos] of filters) {
    assert.deepEqual(client.subscribe([{ filter, qos }]).reasons, [qos]);
  }
  return client;
}
