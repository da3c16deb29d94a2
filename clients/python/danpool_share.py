# SPDX-License-Identifier: Apache-2.0
"""
A peer of a danpool share: reads buffers of another process in place.  Standard library only.

    view = danpool_share.View.from_socket(sock)   # an AF_UNIX socket of the owner's dp_share_send()
    with view.acquire(token) as piece:            # 32 bytes that dp_share_export() made
        zlib.crc32(piece.data)                    # a read-only memoryview, no copy
    view.close()

docs/share.md describes the format.  Everything that the owner wrote is checked before it becomes an
address, so a damaged or hostile share raises a ShareError and nothing else.  Linux, little-endian
machines, Python 3.9 or newer.  A view may be used from several threads.

The protocol asks for aligned loads and stores of 8 bytes and nothing more: an element of a
memoryview cast to "Q" is one, where struct.pack_into() would go byte by byte.  It needs no barrier,
since the owner makes every core pass one before it takes an unclaimed grant back.
"""

import fcntl
import mmap
import os
import socket
import struct
import sys
import threading

TOKEN_BYTES = 32

_HELLO = b"DPSHARE1"
_MAGIC = b"DPSHARE\n"
_VERSION = 1
_HEADER_BYTES = 256
_ENTRY_BYTES = 64
_ALIGNMENT = 65536
_GRANTS_MAX = 65536
_OPEN, _CLOSED = 1, 2

# magic, version, header_bytes, share_id, data_bytes, block_bytes, peer, grants, entry_bytes,
# grants_offset, claims_offset, control_bytes, state, lease_ms, name
_HEADER = struct.Struct("<8sIIQQIIIIQQQII64s")
# share_id, serial, size_bytes, peer, grant
_TOKEN = struct.Struct("<QQQII")
_STATE_AT = 72

_F_OFD_GETLK, _F_OFD_SETLK, _F_GET_SEALS = 36, 37, 1034
_SEALS = 0x0001 | 0x0002 | 0x0004  # F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
_SEALS_READ_ONLY = 0x0008 | 0x0010  # F_SEAL_WRITE or F_SEAL_FUTURE_WRITE
_LOCK_PEER, _LOCK_OWNER = 0, 1


class ShareError(Exception):
    """Something is not as it should be; `status` is the name that the C library gives it."""

    status = "io"


class FormatError(ShareError):
    """Not a share, a damaged one, or files that could change their size under their reader."""

    status = "format"


class UnsupportedError(ShareError):
    """A later version of the format, or a machine that this module cannot serve."""

    status = "unsupported"


class BusyError(ShareError):
    """The control was opened again instead of passed on: another description has its lock."""

    status = "busy"


class ClosedError(ShareError):
    """The owner ended the share, dropped this peer or closed the socket."""

    status = "closed"


class NotFoundError(ShareError):
    """The token's grant has ended, was given back, or is another peer's."""

    status = "not_found"


class ExistsError(ShareError):
    """The token is claimed and not given back yet."""

    status = "exists"


class CorruptError(ShareError):
    """The owner granted bytes that are not there."""

    status = "corrupt"


def _lock(kind, byte):
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, byte, 1, 0)


def _lock_take(fd, byte):
    try:
        fcntl.fcntl(fd, _F_OFD_SETLK, _lock(fcntl.F_WRLCK, byte))
    except BlockingIOError:
        raise BusyError("the control must be passed on, not opened again") from None


def _lock_is_held(fd, byte):
    answer = fcntl.fcntl(fd, _F_OFD_GETLK, _lock(fcntl.F_WRLCK, byte))
    return struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK


def _size_checked(fd, read_only):
    """The size of a sealed memory file; FormatError when it is none."""
    try:
        seals = fcntl.fcntl(fd, _F_GET_SEALS)
        size = os.fstat(fd).st_size
    except OSError:
        raise FormatError("not a memory file") from None
    if seals & _SEALS != _SEALS or size <= 0:
        raise FormatError("the memory could change its size")
    if read_only and not seals & _SEALS_READ_ONLY:
        raise FormatError("others could write to the data")
    return size


def recv_fds(sock):
    """Receives (control_fd, data_fd) from dp_share_send(); they are the caller's to close."""
    hello, fds, flags, _ = socket.recv_fds(sock, len(_HELLO), 16)
    if hello == _HELLO and len(fds) == 2 and not flags & socket.MSG_CTRUNC:
        return fds[0], fds[1]
    for fd in fds:
        os.close(fd)
    if not hello:
        raise ClosedError("the socket is closed")
    raise FormatError("not an invitation")


class Piece:
    """A claimed grant.  `data` is read-only and ends with release()."""

    __slots__ = ("_view", "_token", "data")

    def __init__(self, view, token, data):
        self._view = view
        self._token = token
        self.data = data

    def release(self):
        """Gives the buffer back; nothing when that has been done."""
        if self.data is None:
            return
        # Slices that the caller made of it keep working; they show what is there now.
        self.data.release()
        self.data = None
        self._view._release(self._token)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()


class View:
    """A share as one of its peers sees it."""

    def __init__(self, control_fd, data_fd):
        """Maps and checks both; the descriptors stay the caller's and may be closed at once."""
        if sys.byteorder != "little" or not sys.platform.startswith("linux"):
            raise UnsupportedError("shares are for Linux on little-endian machines")
        control_bytes = _size_checked(control_fd, False)
        data_bytes = _size_checked(data_fd, True)
        self._control = mmap.mmap(control_fd, control_bytes)
        try:
            self._read_header(data_bytes)
            _lock_take(control_fd, _LOCK_PEER)
            self._data = mmap.mmap(data_fd, data_bytes, prot=mmap.PROT_READ)
        except BaseException:
            self._control.close()
            raise
        self._fd = fcntl.fcntl(control_fd, fcntl.F_DUPFD_CLOEXEC, 3)
        self._bytes = memoryview(self._data)
        # As two processes may use them at once, these words are only touched whole.
        self._words = memoryview(self._control).cast("Q")
        self._halves = memoryview(self._control).cast("I")
        self._mutex = threading.Lock()
        self._held = {}  # entry -> serial
        self._done = {}  # entry -> the last serial given back

    @classmethod
    def from_socket(cls, sock):
        control_fd, data_fd = recv_fds(sock)
        try:
            return cls(control_fd, data_fd)
        finally:
            os.close(control_fd)
            os.close(data_fd)

    def _read_header(self, data_bytes):
        size = len(self._control)
        if size < _HEADER_BYTES:
            raise FormatError("too small")
        (magic, version, header_bytes, self.share_id, data, block, self.peer, grants, entry,
         grants_at, claims_at, control, state, self.lease_ms,
         name) = _HEADER.unpack(self._control[:_HEADER.size])
        if magic != _MAGIC:
            raise FormatError("not a share")
        if version != _VERSION:
            raise UnsupportedError("version %d of the format" % version)
        table = grants * _ENTRY_BYTES
        sound = (_HEADER_BYTES <= header_bytes <= _ALIGNMENT and control == size
                 and data == data_bytes and data % _ALIGNMENT == 0 and self.peer != 0
                 and 64 <= block <= 65536 and block & (block - 1) == 0 and entry == _ENTRY_BYTES
                 and 0 < grants <= _GRANTS_MAX and grants_at % _ALIGNMENT == 0
                 and claims_at % _ALIGNMENT == 0 and grants_at >= _ALIGNMENT
                 and grants_at + table <= claims_at and claims_at + table <= control
                 and state in (_OPEN, _CLOSED) and b"\0" in name)
        if not sound:
            raise FormatError("a damaged header")
        if state == _CLOSED:
            raise ClosedError("the owner has closed it")
        self.name = name[:name.index(b"\0")].decode("utf-8", "replace")
        self._data_bytes, self._block, self._grants = data, block, grants
        self._grants_word, self._claims_word = grants_at // 8, claims_at // 8

    def acquire(self, token):
        """Claims the grant that the token (32 bytes) names."""
        if len(token) != TOKEN_BYTES:
            raise NotFoundError("a token has %d bytes" % TOKEN_BYTES)
        share_id, serial, size, peer, entry = _TOKEN.unpack(token)
        if share_id != self.share_id or peer != self.peer or entry >= self._grants or serial == 0:
            raise NotFoundError("not a grant of this peer")
        if self._halves[_STATE_AT // 4] != _OPEN:
            raise ClosedError("the owner has closed it")
        with self._mutex:
            offset = self._claim(entry, serial, size)
        return Piece(self, (entry, serial), self._bytes[offset:offset + size])

    def _claim(self, entry, serial, size):
        words = self._words
        grant = self._grants_word + entry * (_ENTRY_BYTES // 8)
        claim = self._claims_word + entry * (_ENTRY_BYTES // 8)
        if self._held.get(entry) == serial:
            raise ExistsError("claimed already")
        if entry in self._held or self._done.get(entry) == serial or words[grant] != serial:
            raise NotFoundError("the grant has ended")
        offset, granted = words[grant + 1], words[grant + 2]
        if not 0 < granted <= self._data_bytes or offset > self._data_bytes - granted \
                or offset % self._block != 0:
            raise CorruptError("the grant lies outside the data")
        if granted != size:
            raise NotFoundError("a forged token")
        words[claim] = serial
        if words[grant] != serial:
            words[claim + 1] = serial
            raise NotFoundError("the grant was withdrawn")
        self._held[entry] = serial
        return offset

    def _release(self, held):
        entry, serial = held
        with self._mutex:
            del self._held[entry]
            self._done[entry] = serial
            self._words[self._claims_word + entry * (_ENTRY_BYTES // 8) + 1] = serial

    def is_open(self):
        """False once the owner has ended the share, dropped this peer or died."""
        return self._halves[_STATE_AT // 4] == _OPEN and _lock_is_held(self._fd, _LOCK_OWNER)

    def close(self):
        """Unmaps and leaves; BufferError while a piece, or a slice of one, is in use."""
        if self._data is None:
            return
        if self._held:
            raise BufferError("%d pieces are held" % len(self._held))
        self._bytes.release()
        # The data first: as long as the control is mapped, this peer counts as alive.
        self._data.close()
        self._data = None
        self._words.release()
        self._halves.release()
        self._control.close()
        os.close(self._fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
