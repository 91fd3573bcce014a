"""Writes .npz archives as numpy.savez does, without NumPy.

make_npz.py FROM.safetensors TO.npz   the tensors of a safetensors file; deflated, as numpy.savez_compressed
make_npz.py wrong DIRECTORY           archives that are wrong, each DIRECTORY/NAME.npz
"""
import json
import struct
import sys
import zipfile

TYPES = {"F32": "<f4", "F64": "<f8", "I32": "<i4", "I64": "<i8"}


def npy(descr, shape, data, version=1, order="False", header=None):
    dims = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    text = header or "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }" % (descr, order, dims)
    width = "<H" if version == 1 else "<I"
    start = 8 + struct.calcsize(width)
    text += " " * (-(start + len(text) + 1) % 64) + "\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, len(text)) + text.encode() + data


def archive(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in members.items():
            out.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, method)


def tensors_of(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        yield name, entry["dtype"], entry["shape"], data[8 + size + begin:8 + size + end]


def wrong(directory):
    values = struct.pack("<2f", 1, 2)
    good = npy("<f4", (2, 1), values)
    cases = {
        "no_array": {"readme.txt": b"x"},
        "no_npy": {"x.npy": b"PK"},
        "version": {"x.npy": npy("<f4", (2, 1), values, version=9)},
        "long_header": {"x.npy": good[:8] + b"\xff\xff" + good[10:]},
        "records": {"x.npy": npy("", (), b"", header="{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }")},
        "code": {"x.npy": npy("", (), b"", header="{'descr': '<f4', 'fortran_order': exit(), 'shape': (2,), }")},
        "big_endian": {"x.npy": npy(">f4", (2, 1), values)},
        "objects": {"x.npy": npy("|O", (2, 1), values)},
        "fortran": {"x.npy": npy("<f4", (2, 1), values, order="True")},
        "short": {"x.npy": good[:-1]},
        "long": {"x.npy": good + b"\0"},
        "huge": {"x.npy": npy("<f4", (99999999999, 99999999999), values)},
        "many_axes": {"x.npy": npy("<f4", (1,) * 9, values[:4])},
        "bomb": {"x.npy": npy("<f4", (4 << 20,), bytes(16 << 20))},
        "no_y": {"x.npy": good},
        "x_of_integers": {"x.npy": npy("<i4", (2, 1), values), "y.npy": good},
    }
    for name, array in {
        "three_lengths": npy("<i8", (3,), bytes(24)),
        "long_length": npy("<i8", (1,), struct.pack("<q", 1 << 40)),
        "negative_length": npy("<i4", (1,), struct.pack("<i", -2)),
        "half_length": npy("<f4", (1,), struct.pack("<f", 1.5)),
    }.items():
        cases[name] = {"x.npy": good, "y.npy": good, "lengths.npy": array}
    for name, members in cases.items():
        archive("%s/%s.npz" % (directory, name), members)
    whole = open(directory + "/no_y.npz", "rb").read()
    open(directory + "/cut_off.npz", "wb").write(whole[:len(whole) // 2])


if sys.argv[1] == "wrong":
    wrong(sys.argv[2])
else:
    archive(sys.argv[2], {name + ".npy": npy(TYPES[dtype], shape, data, version=1 + i % 2)
                          for i, (name, dtype, shape, data) in enumerate(tensors_of(sys.argv[1]))})
