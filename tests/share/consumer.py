# SPDX-License-Identifier: Apache-2.0
# The consumer in Python: clients/python behind the protocol of tests/share/README.md.
import mmap
import os
import pathlib
import socket
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "clients" / "python"))
import danpool_share  # noqa: E402


def ways_to_write(data_fd):
    ways = 0
    for attempt in (lambda: mmap.mmap(data_fd, 4096), lambda: os.write(data_fd, b"x")):
        try:
            attempt()
            ways += 1
        except OSError:
            pass
    return ways


def serve(sock, view, data_fd, pieces):
    while True:
        message = sock.recv(33, socket.MSG_WAITALL)
        letter, token = message[:1], message[1:]
        if letter == b"g":
            piece = view.acquire(token)
            pieces[token] = piece
            yield b"G" + struct.pack("<QI", len(piece.data), zlib.crc32(piece.data))
        elif letter == b"r":
            if token not in pieces:
                raise danpool_share.NotFoundError("not held")
            pieces.pop(token).release()
            yield b"R"
        elif letter == b"o":
            yield b"O" + bytes([view.is_open()])
        elif letter == b"w":
            yield b"W" + bytes([ways_to_write(data_fd)])
        else:
            view.close()
            yield b"Q"
            return


def main():
    sock = socket.socket(fileno=3)

    def answer(message):
        sock.sendall(message.ljust(13, b"\0"))

    def failed(error):
        answer(b"E" + error.status.encode())

    try:
        control_fd, data_fd = danpool_share.recv_fds(sock)
        view = danpool_share.View(control_fd, data_fd)
    except danpool_share.ShareError as error:
        failed(error)
        return
    os.close(control_fd)
    answer(b"A")
    pieces = {}
    ended = False
    while not ended:
        try:
            for message in serve(sock, view, data_fd, pieces):
                answer(message)
            ended = True
        except danpool_share.ShareError as error:
            failed(error)


main()
