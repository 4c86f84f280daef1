"""Small files that become large when they are read, and the memory of a separate process that reads them."""

import json
import struct
import subprocess
import sys
import zlib

LIMIT_MB, LIMIT_S = 600, 10  # beyond the imports, which take 400 MB with the tested torch: under a gigabyte together


def bomb_png(path, side, depth=1, colour=0):
    """A PNG of zeros, written row by row: 13,000 × 13,000 pixels of one bit take 20 kB."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bits = depth * {0: 1, 2: 3, 6: 4}[colour]
    packer, row = zlib.compressobj(9), bytes(1 + (side * bits + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def measured(program, *arguments):
    """As :func:`measure`, within the limits."""
    out, memory, seconds = measure(program, *arguments)
    assert memory < LIMIT_MB and seconds < LIMIT_S, (out[:300], memory, seconds)
    return out, memory, seconds


def measure(program, *arguments):
    """Run a program; give its last line of output, its peak memory in MB and its CPU seconds, both beyond the imports."""
    frame = f"""
import json, pathlib, resource, sys, time
import torch
torch.set_num_threads(1)
import nbtoolkit as nbt
from nbtoolkit.data import read_image, thumbnail
nbt.load_data, nbt.extract, nbt.explore, nbt.open_study
status = pathlib.Path("/proc/self/status")  # getrusage counts the parent, too, of which the process was forked
def kb(name):
    if status.exists():
        return int(status.read_text().split(f"{{name}}:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, before = time.process_time(), kb("VmRSS")
try:
    out = None
{chr(10).join("    " + line for line in program.strip().splitlines())}
except nbt.NbtoolkitError as error:
    out = f"{{type(error).__name__}}: {{error}}"
print(json.dumps([str(out), (kb("VmHWM") - before) / 1024, time.process_time() - start]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", frame, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return tuple(json.loads(done.stdout.splitlines()[-1]))
