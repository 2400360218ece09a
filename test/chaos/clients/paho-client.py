"""One client by Eclipse Paho, for the chaos test: a session that outlives connections.

Arguments: host, client identifier, topic filter. Each line of standard input is one PUBLISH in JSON (topic, qos,
payload); the next one comes after its acknowledgement. Prints one line of JSON for each thing that it sees.
Paho connects again by itself.
"""

import json
import sys

import paho.mqtt.client as mqtt

HOST, ID, FILTER = sys.argv[1:4]
RECONNECT_SECONDS = 0.3


def say(kind, **more):
    print(json.dumps({"kind": kind, **more}), flush=True)


def on_connect(client, _data, _flags, code):
    if code == 0:
        client.subscribe(FILTER, 2)


def on_subscribe(_client, _data, _mid, _granted):
    say("subscribed")


def on_publish(_client, _data, _mid):
    say("acknowledged")


def on_message(_client, _data, message):
    say(
        "message",
        topic=message.topic,
        payload=message.payload.decode(),
        dup=bool(message.dup),
        retain=bool(message.retain),
    )


client = mqtt.Client(client_id=ID, clean_session=False)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_publish = on_publish
client.on_message = on_message
client.reconnect_delay_set(RECONNECT_SECONDS, RECONNECT_SECONDS)
client.connect_async(HOST, keepalive=10)
client.loop_start()
for line in sys.stdin:
    request = json.loads(line)
    client.publish(request["topic"], request["payload"], request["qos"])
