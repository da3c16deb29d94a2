# SPDX-License-Identifier: Apache-2.0
"""Stands in for systemd: binds the socket argv[1] and prints a line of JSON for each message."""
import json
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
print(json.dumps("bound"), flush=True)
while True:
    print(json.dumps(listener.recv(4096).decode()), flush=True)
