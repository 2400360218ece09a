"""Does with a broker what Home Assistant's MQTT integration does, by the library that it uses (paho).

Arguments: host, port, user, password, step. Prints one line of JSON for each thing that it sees.
Source: homeassistant/components/mqtt/client.py: MQTT 5, a random client id, keep alive of 60 s, birth
and will on homeassistant/status, discovery by wildcards, subscriptions in groups of up to 500 filters.
"""

import json
import sys
import uuid

import paho.mqtt.client as mqtt

HOST, PORT, USER, PASSWORD, FILTERS = sys.argv[1:6]
STATUS = "homeassistant/status"
DISCOVERY = [("homeassistant/+/+/config", 0), ("homeassistant/+/+/+/config", 0)]
GROUP = 500


def say(kind, **more):
    print(json.dumps({"kind": kind, **more}), flush=True)


def on_connect(client, _data, flags, code, _properties):
    say("connected", code=code.value, session=flags["session present"])
    if code.value != 0:
        sys.exit(0)
    client.publish(STATUS, "online", 0, False)
    client.subscribe(DISCOVERY)
    topics = [(f"stat/device{index}/POWER", 0) for index in range(int(FILTERS))]
    for start in range(0, len(topics), GROUP):
        client.subscribe(topics[start : start + GROUP])


def on_subscribe(_client, _data, _mid, codes, _properties):
    say("subscribed", count=len(codes), refused=sum(code.value > 2 for code in codes))


def on_message(client, _data, message):
    say(
        "message",
        topic=message.topic,
        bytes=len(message.payload),
        retain=message.retain,
    )
    if message.topic.endswith("/config"):
        # As for each entity: its state and its command.
        config = json.loads(message.payload)
        client.subscribe(config["state_topic"], 0)
        client.publish(config["command_topic"], "ON", 0, False)


client = mqtt.Client(
    client_id=uuid.uuid4().hex[:22], protocol=mqtt.MQTTv5, reconnect_on_failure=False
)
client.username_pw_set(USER, PASSWORD)
client.will_set(STATUS, "offline", 0, False)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect(HOST, int(PORT), 60, clean_start=True)
client.loop_forever()
