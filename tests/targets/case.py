"""case.py CASE.safetensors FOLDER: a recorded case of tests/cases for network.c. FOLDER gets the spec, net.lua, and what
is recorded as plain values of 4 bytes, a file for each tensor; `shape` is steps and sequences."""
import json
import os
import struct
import sys


def main(path, folder):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    about = header.pop("__metadata__")
    fields = 'name = "net", weights = "%s", ' % os.path.abspath(path)
    if "lengths" in about:
        fields += "lengths = true, "
    if "spec" in about:
        spec = "return model { %sbatch = \"any\", %s }" % (fields, about["spec"])
    else:
        kind, function = about["cell"], ""
        if kind.startswith("rnn"):
            function = 'nonlinearity = "%s", ' % (about.get("nonlinearity") or kind[4:] or "tanh")
            kind = "rnn"
        spec = "return rnn { %scell = \"%s\", %sinput_size = %s, hidden_size = %s, num_layers = %s, " % (
            fields, kind, function, about["I"], about["H"], about["L"])
        spec += "bidirectional = %s, bias = %s, batch_first = %s, batch = %s }" % tuple(
            ["true" if about[name] == value else "false" for name, value in
             (("D", "2"), ("bias", "1"), ("batch_first", "1"))] + [about["B"]])
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "net.lua"), "w") as f:
        f.write(spec + "\n")

    def put(name, values):
        with open(os.path.join(folder, name), "wb") as f:
            f.write(values)

    put("shape", struct.pack("<2i", int(about["T"]), int(about["B"])))
    if "lengths" in about:
        lengths = [int(word) for word in about["lengths"].split()]
        put("lengths", struct.pack("<%di" % len(lengths), *lengths))
    for name in ("x", "tokens", "h0", "c0", "y", "hn", "cn"):
        if name in header and about.get("states", "1") + name not in ("0h0", "0c0"):
            begin, end = header[name]["data_offsets"]
            values = data[begin:end]
            if name == "tokens":
                whole = struct.unpack("<%df" % (len(values) // 4), values)
                values = struct.pack("<%di" % len(whole), *[int(value) for value in whole])
            put(name, values)


main(sys.argv[1], sys.argv[2])
