# SPDX-License-Identifier: Apache-2.0
"""Opens libdanpool.so late, with a thread already running, and closes it while a thread that used a
pool still lives: thread-local storage of the initial-exec kind and a thread's end must bear both.

usage: dlopen.py LIBRARY
"""
import ctypes
import sys
import threading

opened, closed = threading.Event(), threading.Event()
results = []


class Request(ctypes.Structure):
    _fields_ = [("size_bytes", ctypes.c_size_t), ("kind", ctypes.c_int),
                ("priority", ctypes.c_int), ("need", ctypes.c_uint32),
                ("batch_size", ctypes.c_uint32)]


def declare(library):
    pointer = ctypes.c_void_p
    library.dp_pool_create.argtypes = [pointer, ctypes.POINTER(pointer)]
    library.dp_pool_destroy.argtypes = [pointer]
    library.dp_get.argtypes = [pointer, ctypes.POINTER(Request), ctypes.POINTER(pointer)]
    library.dp_put.argtypes = [pointer]
    library.dp_buf_data.argtypes = [pointer]
    library.dp_buf_data.restype = pointer
    library.dp_buf_capacity.argtypes = [pointer]
    library.dp_buf_capacity.restype = ctypes.c_size_t
    return library


def use(library, pool):
    """Many gets and puts of mixed sizes; each block is filled and stays what it was."""
    held = []
    for number in range(400):
        request = Request(size_bytes=1 + number * 37 % 5000)
        buf = ctypes.c_void_p()
        assert library.dp_get(pool, ctypes.byref(request), ctypes.byref(buf)) == 0
        ctypes.memset(library.dp_buf_data(buf), number % 256, request.size_bytes)
        held.append((buf, request.size_bytes, bytes([number % 256])))
    for buf, size, byte in held:
        assert ctypes.string_at(library.dp_buf_data(buf), size) == byte * size
        library.dp_put(buf)


def work():
    opened.wait()
    use(shared["library"], shared["pool"])
    results.append("early")
    used.set()
    closed.wait()  # and ends after dlclose()


shared, used = {}, threading.Event()
early = threading.Thread(target=work)
early.start()
try:
    library = declare(ctypes.CDLL(sys.argv[1]))
    # dp_pool_config, of which the first member is enough: the host tier, zero elsewhere.
    config = (ctypes.c_uint32 * 256)()
    config[0] = 1
    pool = ctypes.c_void_p()
    assert library.dp_pool_create(config, ctypes.byref(pool)) == 0
    shared.update(library=library, pool=pool)
finally:
    opened.set()
used.wait(30)
late = threading.Thread(target=lambda: (use(library, pool), results.append("late")))
late.start()
late.join()
assert sorted(results) == ["early", "late"], results
library.dp_pool_destroy(pool)
dlclose = ctypes.CDLL(None).dlclose
dlclose.argtypes = [ctypes.c_void_p]
assert dlclose(library._handle) == 0
closed.set()
early.join()
print("good")
