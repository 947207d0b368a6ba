"""One network namespace, driven over standard input and output: a JSON object per line in, one per line out.

Started as `unshare -n python3 network_namespace.py`; the namespace, its devices and its sockets go when standard input
ends. Frames are hex digits from the Ethernet header on. Nothing here touches another namespace.
"""
import json
import os
import select
import socket
import subprocess
import sys
import time

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 64 << 20

watched = {}
senders = {}
listening = {}
connections = {}


def packet_socket(device, buffer):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL) if buffer else 0)
    if buffer:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
    opened.bind((device, ETH_P_ALL if buffer else 0))
    return opened


def run(request):
    done = subprocess.run(request["run"], capture_output=True, text=True, check=False)
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def watch(request):
    watched[request["watch"]] = packet_socket(request["watch"], RECEIVE_BUFFER)
    return {}


def send(request):
    device = request["send"]
    if device not in senders:
        senders[device] = packet_socket(device, 0)
    for frame in request["frames"]:
        senders[device].send(bytes.fromhex(frame))
    return {}


def take(request):
    """Frames that a watched device got, up to a count or a time; those that left it are not of interest."""
    source, frames = watched[request["take"]], []
    until = time.monotonic() + request["seconds"]
    while len(frames) < request["count"]:
        left = until - time.monotonic()
        if left <= 0 or not select.select([source], [], [], left)[0]:
            break
        frame, origin = source.recvfrom(1 << 16)
        if origin[2] != PACKET_OUTGOING:
            frames.append(frame.hex())
    return {"frames": frames}


def listen(request):
    kind = socket.SOCK_STREAM if request["listen"] == "tcp" else socket.SOCK_DGRAM
    opened = socket.socket(socket.AF_INET6 if ":" in request["address"] else socket.AF_INET, kind)
    opened.bind((request["address"], request["port"]))
    if kind == socket.SOCK_STREAM:
        opened.listen(16)
    listening[request["name"]] = opened
    return {}


def accept(request):
    opened = listening[request["accept"]]
    if not select.select([opened], [], [], request["seconds"])[0]:
        return {"peer": None}
    connection, peer = opened.accept()
    connections[request["accept"]] = connection
    return {"peer": list(peer)}


def receive(request):
    name = request["receive"]
    source = connections.get(name, listening.get(name))
    if not select.select([source], [], [], request["seconds"])[0]:
        return {"data": None, "peer": None}
    data, peer = source.recvfrom(1 << 16)
    return {"data": data.hex(), "peer": list(peer or source.getpeername())}


def answer(request):
    name, data = request["answer"], bytes.fromhex(request["data"])
    if name in connections:
        connections[name].sendall(data)
    else:
        listening[name].sendto(data, tuple(request["peer"]))
    return {}


OPERATIONS = {each.__name__: each for each in (run, watch, send, take, listen, accept, receive, answer)}

# One processor: frames sent one after the other arrive one after the other.
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = next(OPERATIONS[key] for key in asked if key in OPERATIONS)(asked)
    except OSError as error:
        said = {"error": str(error)}
    print(json.dumps(said), flush=True)
