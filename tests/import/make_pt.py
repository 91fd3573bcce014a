"""Writes files as torch.save does, without PyTorch: a zip with a pickle whose tensors name their values.

make_pt.py FORM FROM.safetensors TO.pt   the tensors of a safetensors file in one of the forms below
make_pt.py script TO.pt                  a network as torch.jit.save writes it
make_pt.py functions TO.pt               the same of linear layers with all functions
make_pt.py wrong DIRECTORY               files that are wrong, each DIRECTORY/NAME.pt

The pickles are those of Python's own pickler, protocol 2: torch is a module made up here that has the classes and
functions whose names stand in such files.
"""
import collections
import io
import json
import math
import pickle
import struct
import sys
import types
import warnings
import zipfile
import zlib


def module(name, **members):
    made = types.ModuleType(name)
    sys.modules[name] = made
    for key, value in members.items():
        setattr(made, key, value)
        value.__module__, value.__qualname__ = name, key
    return made


def function(name):
    return lambda *arguments: (name, arguments)


torch = module("torch", **{
    kind: type(kind, (), {}) for kind in (
        "FloatStorage", "DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "QInt8Storage",
        "ComplexFloatStorage")})
for scheme in "per_tensor_affine", "per_channel_affine":
    setattr(torch, scheme, type(scheme, (), {"__module__": "torch", "__qualname__": scheme}))
utils = module("torch._utils", **{
    name: function(name) for name in ("_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_qtensor")})
own = module("model", Net=type("Net", (), {}), train=function("train"))


class Storage:
    """Values of one type; key: its member's name."""

    def __init__(self, kind, data, count):
        self.kind, self.data, self.count, self.key = kind, data, count, None


class Call:
    """A call in the pickle."""

    def __init__(self, callee, *arguments):
        self.callee, self.arguments = callee, arguments

    def __reduce__(self):
        return self.callee, self.arguments


class Pickler(pickle.Pickler):
    def __init__(self, file, storages, protocol=2):
        super().__init__(file, protocol=protocol)
        self.storages = storages

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        if obj.key is None:
            obj.key = str(len(self.storages))
            self.storages.append(obj)
        return "storage", getattr(torch, obj.kind), obj.key, "cpu", obj.count


def archive(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo("net/" + name), data)
    return out.getvalue()


def saved(value, byteorder=b"little", protocol=2):
    """The bytes of torch.save(value, pickle_protocol=protocol)."""
    out, storages = io.BytesIO(), []
    Pickler(out, storages, protocol).dump(value)
    members = [("data.pkl", out.getvalue()), ("byteorder", byteorder)]
    return archive(members + [("data/" + s.key, s.data) for s in storages] + [("version", b"3\n")])


def strides_of(shape):
    steps = [1] * len(shape)
    for axis in range(len(shape) - 1, 0, -1):
        steps[axis - 1] = steps[axis] * shape[axis]
    return tuple(steps)


def bfloat16(value):
    return struct.pack("<f", value)[2:]


formats = {
    "FloatStorage": lambda v: struct.pack("<f", v), "DoubleStorage": lambda v: struct.pack("<d", v),
    "HalfStorage": lambda v: struct.pack("<e", v), "BFloat16Storage": bfloat16,
    "QInt8Storage": lambda v: struct.pack("b", v), "LongStorage": lambda v: struct.pack("<q", v)}


def storage(values, kind="FloatStorage"):
    return Storage(kind, b"".join(map(formats[kind], values)), len(values))


def tensor(values, shape, kind="FloatStorage", offset=0, steps=None):
    return Call(utils._rebuild_tensor_v2, storage(values, kind), offset, tuple(shape), steps or strides_of(shape),
                False, collections.OrderedDict())


def parameter(made):
    return Call(utils._rebuild_parameter, made, True, collections.OrderedDict())


def column_major(values, shape):
    """The same matrix with its columns in memory one behind the other, three values into the storage."""
    if len(shape) != 2:
        return tensor([9.0] * 3 + values, shape, offset=3)
    rows, columns = shape
    turned = [values[i * columns + j] for j in range(columns) for i in range(rows)]
    return tensor([9.0] * 3 + turned, shape, offset=3, steps=(1, rows))


def read_safetensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            values = struct.unpack("<%df" % ((last - first) // 4), data[8 + size + first:8 + size + last])
            yield name, list(values), tuple(entry["shape"])


def one_storage(weights):
    """All tensors as views of one storage."""
    whole, made = storage([v for _, values, _ in weights for v in values]), collections.OrderedDict()
    offset = 0
    for name, values, shape in weights:
        made[name] = Call(utils._rebuild_tensor_v2, whole, offset, shape, strides_of(shape), False,
                          collections.OrderedDict())
        offset += len(values)
    return made


def weight_norm(weights, first, second):
    """Matrices as a length for each row, and rows of twice their length."""
    made = collections.OrderedDict()
    for name, values, shape in weights:
        if len(shape) != 2:
            made[name] = tensor(values, shape)
            continue
        rows, columns = shape
        lengths = [math.sqrt(sum(v * v for v in values[i * columns:(i + 1) * columns])) for i in range(rows)]
        made[first % name] = tensor(lengths, (rows, 1))
        made[second % name] = tensor([2 * v for v in values], shape)
    return made


def weight_norm_of_columns(weights):
    """Matrices as a length for each column, dim = 1, and columns of twice their length."""
    made = collections.OrderedDict()
    for name, values, shape in weights:
        if len(shape) != 2:
            made[name] = tensor(values, shape)
            continue
        lengths = [math.sqrt(sum(v * v for v in values[j::shape[1]])) for j in range(shape[1])]
        made[name + "_g"] = tensor(lengths, (1, shape[1]))
        made[name + "_v"] = tensor([2 * v for v in values], shape)
    return made


def pruned(weights):
    """Matrices as what was trained and a mask, of halves and quarters so that the products say where it is read."""
    made = collections.OrderedDict()
    for name, values, shape in weights:
        if len(shape) != 2:
            made[name] = tensor(values, shape)
            continue
        factors = [0.5 if i % 3 else 0.25 for i in range(len(values))]
        made[name + "_orig"] = tensor([v / f for v, f in zip(values, factors)], shape)
        made[name + "_mask"] = tensor(factors, shape)
    return made


def quantised(weights):
    """Values that are multiples of 2^-6 as int8: matrices for each row, vectors in one."""
    made = collections.OrderedDict()
    for name, values, shape in weights:
        whole = [max(-60, min(60, round(v * 64))) for v in values]
        if len(shape) == 2:
            scheme = (torch.per_channel_affine, tensor([1 / 64] * shape[0], shape[:1], "DoubleStorage"),
                      tensor([i % 3 for i in range(shape[0])], shape[:1], "LongStorage"), 0)
            whole = [v + i // shape[1] % 3 for i, v in enumerate(whole)]
        else:
            scheme = torch.per_tensor_affine, 1 / 64, 5
            whole = [v + 5 for v in whole]
        made[name] = Call(utils._rebuild_qtensor, storage(whole, "QInt8Storage"), 0, shape, strides_of(shape), scheme,
                          False, collections.OrderedDict())
    return made


def plain(weights, kind="FloatStorage", prefix=""):
    return collections.OrderedDict((prefix + n, parameter(tensor(v, s, kind))) for n, v, s in weights)


def checkpoint(weights):
    """What a training loop keeps, with the state of an optimiser and another network behind."""
    return {"epoch": 3, "loss": 0.25, "names": ["a", "b"], "best": None, "seed": 1 << 80,
            "optimizer": {"state": {0: {"exp_avg": tensor([1.0] * 4, (4,))}}, "param_groups": [{"lr": 1e-3}]},
            "ema": {n: tensor([0.0] * len(v), s) for n, v, s in weights},
            "model_state_dict": plain(weights, prefix="module.")}


forms = {
    "plain": plain, "checkpoint": checkpoint, "one_storage": one_storage, "quantised": quantised,
    "float64": lambda w: plain(w, "DoubleStorage"), "float16": lambda w: plain(w, "HalfStorage"),
    "bfloat16": lambda w: plain(w, "BFloat16Storage"), "compiled": lambda w: plain(w, prefix="_orig_mod."),
    "strided": lambda w: {n: column_major(v, s) for n, v, s in w},
    "weight_norm": lambda w: weight_norm(w, "%s_g", "%s_v"),
    "weight_norm_columns": weight_norm_of_columns, "pruned": pruned,
    "parametrized": lambda w: weight_norm(w, "parametrizations.%s.original0", "parametrizations.%s.original1"),
}

# ---- TorchScript ----

module("__torch__")
MODULES = "__torch__.torch.nn.modules."


def scripted(class_name, **attributes):
    """A module whose class is a name and whose attributes stand in that order."""
    name, kind = class_name.rsplit(".", 1)
    if not hasattr(sys.modules.get(name), kind):
        known = sys.modules.get(name) or module(name)
        setattr(known, kind, type(kind, (), {"__module__": name, "__qualname__": kind}))
    made = getattr(sys.modules[name], kind)()
    made.__dict__.update(attributes)
    return made


def constants(kind, **values):
    return "class %s(Module):\n  __parameters__ = []\n" % kind + "".join(
        "  %s : Final[%s] = %s\n" % (name, "str" if '"' in value else "float", value) for name, value in values.items())


def script():
    """y = scale tanh(head(rnn_relu(x))), batch_first, with a dropout before tanh and a norm that stands beside."""
    def linear(weight, shape):
        return scripted(MODULES + "linear.Linear", training=False, weight=tensor(weight, shape),
                        bias=tensor([0.25] * shape[0], shape[:1]))
    head = scripted(MODULES + "container.Sequential", **{
        "0": linear([0.5, -0.5, 1.0, 1.5, 2.0, 0.125], (2, 3)), "1": scripted(MODULES + "dropout.Dropout", p=0.5),
        "2": scripted(MODULES + "activation.Tanh", training=False), "3": linear([2.0, -1.0], (1, 2))})
    rnn = scripted(MODULES + "rnn.RNN", weight_ih_l0=tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (3, 2)),
                   weight_hh_l0=tensor([0.5] * 9, (3, 3)), bias_ih_l0=tensor([0.0] * 3, (3,)),
                   bias_hh_l0=tensor([1.0] * 3, (3,)))
    net = scripted("__torch__.net.Net", x_scale=tensor([2.0, 10.0], (2,)), y_scale=tensor([4.0], ()), rnn=rnn, head=head,
                   norm=scripted(MODULES + "normalization.LayerNorm", eps=1e-5))
    out, storages = io.BytesIO(), []
    Pickler(out, storages).dump(net)
    forward = ("class Net(Module):\n  __parameters__ = []\n  def forward(self: __torch__.net.Net,\n    x: Tensor) -> Tensor:\n"
               "    s = self.x_scale\n    x0 = torch.mul(s, x)\n    x1, h, = (self.rnn).forward(x0, None, )\n"
               "    x2 = torch.sin((self.head).forward(x1, ))\n    return torch.mul(x2, self.y_scale)\n"
               "  def other(self: __torch__.net.Net) -> Tensor:\n    return torch.cos(self.x_scale)\n")
    return archive(
        [("data.pkl", out.getvalue()), ("code/__torch__/net.py", forward),
         ("code/__torch__/torch/nn/modules/rnn.py",
          constants("LSTM", mode='"LSTM"', batch_first="False")
          + constants("RNN", mode='"RNN_RELU"', batch_first="True")
          + constants("GRU", mode='"GRU"', batch_first="False"))]
        + [("data/" + s.key, s.data) for s in storages])


# The modules of torch.nn that are functions, with the constants of those that have some.
FUNCTIONS = {
    "ELU": {"alpha": "0.5"}, "GELU": {"approximate": '"none"'}, "Hardsigmoid": {}, "Hardswish": {},
    "Hardtanh": {"min_val": "-0.5", "max_val": "2."}, "LeakyReLU": {"negative_slope": "0.25"}, "Mish": {}, "ReLU": {},
    "ReLU6": {"min_val": "0.", "max_val": "6."}, "SELU": {}, "Sigmoid": {}, "SiLU": {}, "Softplus": {"beta": "1.",
    "threshold": "20."}, "Softsign": {}, "Tanh": {}, "LogSoftmax": {"dim": "-1"}}
# Those that have slopes, by the places behind which they stand.
SLOPES = {2: [0.125], 4: [0.5, -0.25]}


def traced(kind, call):
    """The text of a class as torch.jit.trace leaves it."""
    return "class %s(Module):\n  __parameters__ = []\n  def forward(self,\n    x: Tensor) -> Tensor:\n    " \
        "return torch.%s\n" % (kind, call)


def script_functions(**others):
    """A Sequential of linear layers with a function behind each; others: other constants, or the text of a class."""
    parts, texts = {}, []
    for number, (kind, values) in enumerate(FUNCTIONS.items()):
        other = others.get(kind, {})
        parts[str(2 * number)] = scripted(MODULES + "linear.Linear", weight=tensor([0.5, 0.25, -1.0, 1.0], (2, 2)),
                                          bias=tensor([0.25, -0.5], (2,)))
        parts[str(2 * number + 1)] = scripted(MODULES + "activation." + kind, training=False)
        texts.append(other if isinstance(other, str) else constants(kind, **dict(values, **other)))
    for place, slopes in SLOPES.items():
        slopes = scripted(MODULES + "activation.PReLU", training=False, weight=tensor(slopes, (len(slopes),)))
        parts = {key: value for name, part in parts.items() for key, value in (
            [(name, part), (name + "s", slopes)] if name == str(2 * place) else [(name, part)])}
    out, storages = io.BytesIO(), []
    Pickler(out, storages).dump(scripted(MODULES + "container.Sequential", **parts))
    return archive([("data.pkl", out.getvalue()), ("code/__torch__/torch/nn/modules/activation.py", "".join(texts))]
                   + [("data/" + s.key, s.data) for s in storages])


# ---- the LayerNormLSTMCell of PyTorch's benchmarks ----

def normed_tensors():
    """Of a cell of 2 inputs and 3 units: (name, values, shape), as the cell declares them."""
    def values(count, number):
        return [math.sin(1.7 * i + number) / 2 for i in range(count)]
    shapes = {"weight_ih": (12, 2), "weight_hh": (12, 3), "layernorm_i.weight": (12,), "layernorm_i.bias": (12,),
              "layernorm_h.weight": (12,), "layernorm_h.bias": (12,), "layernorm_c.weight": (3,), "layernorm_c.bias": (3,)}
    return [(name, values(math.prod(shape), i), shape) for i, (name, shape) in enumerate(shapes.items())]


def normed(x):
    """What the cell gives, a step each, from zeros, by the formulas of custom_lstms.py; eps = 1e-5."""
    given = {name: values for name, values, _ in normed_tensors()}
    h, c, out = [0.0] * 3, [0.0] * 3, []

    def product(name, v):
        return [sum(given[name][i * len(v) + k] * v[k] for k in range(len(v))) for i in range(12)]

    def norm(name, v):
        mean = sum(v) / len(v)
        scale = 1 / math.sqrt(sum((a - mean) ** 2 for a in v) / len(v) + 1e-5)
        return [w * (a - mean) * scale + b
                for a, w, b in zip(v, given[name + ".weight"], given[name + ".bias"])]

    def sigmoid(a):
        return 1 / (1 + math.exp(-a))
    for step in x:
        s = [a + b for a, b in zip(norm("layernorm_i", product("weight_ih", step)),
                                   norm("layernorm_h", product("weight_hh", h)))]
        c = norm("layernorm_c", [sigmoid(s[3 + j]) * c[j] + sigmoid(s[j]) * math.tanh(s[6 + j]) for j in range(3)])
        h = [sigmoid(s[9 + j]) * math.tanh(c[j]) for j in range(3)]
        out.append(h)
    return out, h, c


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, values, shape in tensors:
        more = struct.pack("<%df" % len(values), *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(more)]}
        data += more
    text = json.dumps(header).encode()
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + data)


def normed_script(eps):
    """The cell as torch.jit.save leaves it."""
    def norm(name):
        return scripted(MODULES + "normalization.LayerNorm", training=False,
                        **{kind: tensor(values, shape) for full, values, shape in normed_tensors()
                           for kind in [full.split(".")[-1]] if full.startswith(name)})
    parts = {name: tensor(values, shape) for name, values, shape in normed_tensors()[:2]}
    cell = scripted("__torch__.custom_lstms.LayerNormLSTMCell", **parts,
                    **{name: norm(name) for name in ("layernorm_i", "layernorm_h", "layernorm_c")})
    out, storages = io.BytesIO(), []
    Pickler(out, storages).dump(scripted("__torch__.custom_lstms.LSTMLayer", cell=cell))
    text = ("class LayerNormLSTMCell(Module):\n  __parameters__ = []\n  def forward(self, x: Tensor) -> Tensor:\n"
            "    return torch.mm(x, torch.t(self.weight_ih))\n")
    return archive([("data.pkl", out.getvalue()), ("code/__torch__/custom_lstms.py", text),
                    ("code/__torch__/torch/nn/modules/normalization.py", constants("LayerNorm", eps=eps))]
                   + [("data/" + s.key, s.data) for s in storages])


def write_normed(folder):
    x = [[math.cos(2.3 * t + 5 * k) for k in range(2)] for t in range(5)]
    y, h, c = normed(x)
    flat = lambda rows: [v for row in rows for v in row]
    write_safetensors(folder + "/case.safetensors", [("x", flat(x), (5, 1, 2)), ("y", flat(y), (5, 1, 3)),
                                                     ("hn", h, (1, 1, 3)), ("cn", c, (1, 1, 3))])
    write_safetensors(folder + "/plain.safetensors", normed_tensors())
    own = {"layernorm_i": "ih_l0", "layernorm_h": "hh_l0", "layernorm_c": "c_l0"}
    write_safetensors(folder + "/own.safetensors", [
        ("norm_%s_%s" % (n.split(".")[1], own[n.split(".")[0]]) if "." in n else n + "_l0", v, s)
        for n, v, s in normed_tensors()])
    changes = {
        "other": lambda n, v, s: (n.replace("layernorm_c", "ln_cell"), v, s),
        "size": lambda n, v, s: (n, v[:2], (2,)) if n == "layernorm_c.bias" else (n, v, s),
        "few": lambda n, v, s: None if n.startswith("layernorm_h") else (n, v, s),
    }
    for name, change in changes.items():
        write_safetensors("%s/%s.safetensors" % (folder, name),
                          [t for t in (change(*entry) for entry in normed_tensors()) if t])
    write_safetensors(folder + "/biased.safetensors", normed_tensors() + [("bias_ih", [0.5] * 12, (12,))])
    for name, eps in (("script", "0.001"), ("wide", "2.5")):
        with open("%s/%s.pt" % (folder, name), "wb") as out:
            out.write(normed_script(eps))


# ---- files that are wrong ----

NAMES = ["weight_ih_l0", "weight_hh_l0"]
SMALL = [(name, [0.5, 0.25, -0.5, 1.0], (2, 2)) for name in NAMES]


def pickled(data):
    """An archive whose pickle has these bytes."""
    return archive([("data.pkl", data), ("version", b"3\n")])


def with_tensors(change):
    """A small rnn, whose weight_ih_l0 is what change(good tensor's arguments) makes."""
    good = {name: tensor(values, shape) for name, values, shape in SMALL}
    arguments = list(good[NAMES[0]].arguments)
    change(arguments)
    good[NAMES[0]].arguments = tuple(arguments)
    return saved(good)


def set_argument(number, value):
    def change(arguments):
        arguments[number] = value
    return with_tensors(change)


def overlapping():
    """A member within another one's bytes."""
    data = b"k" * 500
    sizes = struct.pack("<3L", zlib.crc32(data), len(data), len(data))
    outer = archive([("data.pkl", b"PK\3\4" + struct.pack("<5H", 20, 0, 0, 0, 33) + sizes + struct.pack("<2H", 1, 0)
                      + b"i" + data)])
    at, end = outer.find(b"PK\1\2"), outer.find(b"PK\5\6")
    second = (b"PK\1\2" + struct.pack("<6H", 20, 20, 0, 0, 0, 33) + sizes
              + struct.pack("<5H2L", 1, 0, 0, 0, 0, 0, 30 + len("net/data.pkl")) + b"i")
    directory = outer[at:end] + second
    return outer[:at] + directory + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 2, 2, len(directory), at, 0)


def zipped(members, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in members:
            made.writestr("net/" + name, data)
    return out.getvalue()


def changed(data, at, to):
    return data[:at] + to + data[at + len(to):]


def flagged(data):
    """Encrypted, as both headers of the first member say."""
    return changed(changed(data, 6, b"\1\0"), data.find(b"PK\1\2") + 8, b"\1\0")


def duplicate():
    warnings.simplefilter("ignore")
    return zipped([("data.pkl", b"\x80\2}."), ("data.pkl", b"\x80\2}.")])


def cycle():
    made = []
    made.append(made)
    outer = {"model": {"list": made}}
    outer["model"]["model"] = outer["model"]
    return saved(outer)


def complex_weights():
    return saved({n: Call(utils._rebuild_tensor_v2, Storage("ComplexFloatStorage", bytes(32), 4), 0, (2, 2), (2, 1),
                          False, collections.OrderedDict()) for n in NAMES})


def only_pickle():
    """A good pickle whose storages are missing."""
    out = io.BytesIO()
    Pickler(out, []).dump({n: tensor([1.0], (1, 1)) for n in NAMES})
    return out.getvalue()


wrong = {
    # zip
    "not_a_zip": lambda: b"PK\3\4 a text that names x/data.pkl",
    "no_pickle": lambda: zipped([("x/data.pkl", b"")]),
    "bomb": lambda: zipped([("data.pkl", bytes(200 << 20))]),
    "overlapping": overlapping,
    "encrypted": lambda: flagged(pickled(b"\x80\2}.")),
    "bzip2": lambda: zipped([("data.pkl", b"\x80\2}.")], zipfile.ZIP_BZIP2),
    "duplicate": duplicate,
    "damaged": lambda: changed(pickled(b"\x80\2}.QQQQ"), 30 + len("net/data.pkl") + 4, b"R"),
    # pickles
    "old": lambda: b"\x80\2\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\2M\xe9\3.",
    "bare": lambda: pickle.dumps({"a": [1.0]}, protocol=4),
    "empty_pickle": lambda: pickled(b""),
    "protocol": lambda: pickled(b"\x80\7}."),
    "opcode": lambda: pickled(b"\x80\2}(I1\nI2\nu."),
    "ext": lambda: pickled(b"\x80\2\x82\1."),
    "persid": lambda: pickled(b"\x80\2Pstorage\n."),
    "global_call": lambda: pickled(b"\x80\2cos\nsystem\nX\4\0\0\0true\x85R."),
    "stack_global_call": lambda: pickled(b"\x80\4\x8c\2os\x8c\6system\x93X\4\0\0\0true\x85R."),
    "own_function": lambda: saved(Call(own.train, 1)),
    "own_class": lambda: saved({"model": own.Net()}),
    "inst": lambda: pickled(b"\x80\2(ios\nsystem\n."),
    "call_of_text": lambda: pickled(b"\x80\2X\1\0\0\0a)R."),
    "underflow": lambda: pickled(b"\x80\2\x86."),
    "underflow_of_mark": lambda: pickled(b"\x80\2]((a."),
    "no_mark": lambda: pickled(b"\x80\2]e."),
    "memo": lambda: pickled(b"\x80\2h\7."),
    "put_nothing": lambda: pickled(b"\x80\2q\1."),
    "items_of_none": lambda: pickled(b"\x80\2N(K\1K\2u."),
    "odd_items": lambda: pickled(b"\x80\2}(K\1u."),
    "long_text": lambda: pickled(b"\x80\2X\xff\xff\xff\x7fabc."),
    "negative_text": lambda: pickled(b"\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc."),
    "no_stop": lambda: pickled(b"\x80\2}"),
    "two_values": lambda: pickled(b"\x80\2}}."),
    "open_mark": lambda: pickled(b"\x80\2}(."),
    "build_text": lambda: pickled(b"\x80\2X\1\0\0\0a}b."),
    "deep_lists": lambda: pickled(b"\x80\2" + b"]" * 150000 + b"a" * 149999 + b"."),
    "many_opcodes": lambda: pickled(b"\x80\2" + b"]" * 4000000),
    "large_pickle": lambda: pickled(b"\x80\2" + b"X\0\0\0\1" + b"a" * (1 << 24) + b"."),
    "many_marks": lambda: pickled(b"\x80\2" + b"(" * 4000000),
    "cycle": cycle,
    "nothing": lambda: saved({}),
    "a_number": lambda: saved(7),
    "no_layer": lambda: saved({"epoch": 3, "weights_of": {"conv": tensor([1.0], (1,))}}),
    # tensors
    "storage_text": lambda: pickled(b"\x80\2X\1\0\0\0aQ."),
    "storage_number": lambda: pickled(b"\x80\2K\1Q."),
    "offset": lambda: set_argument(1, 1),
    "offset_negative": lambda: set_argument(1, -1),
    # A number of five bytes: LONG1.
    "offset_far_below_zero": lambda: set_argument(1, -(1 << 39)),
    "offset_text": lambda: set_argument(1, "0"),
    "shape": lambda: set_argument(2, (4, 2)),
    "shape_negative": lambda: set_argument(2, (-2, -2)),
    "shape_huge": lambda: with_tensors(lambda a: a.__setitem__(slice(2, 4), [(1 << 39,) * 8, (0,) * 8])),
    "strides": lambda: set_argument(3, (1 << 40, 1)),
    "strides_missing": lambda: set_argument(3, (1,)),
    "strides_zero": lambda: with_tensors(lambda a: a.__setitem__(slice(2, 4), [(1 << 20, 2), (0, 1)])),
    "storage_short": lambda: set_argument(0, Storage("FloatStorage", bytes(12), 4)),
    "no_storage": lambda: pickled(only_pickle()),
    "big_endian": lambda: saved(plain(SMALL), byteorder=b"big"),
    "complex": complex_weights,
    "weight_norm_axes": lambda: saved({
        "weight_ih_l0_g": tensor([1.0] * 4, (2, 2)), "weight_ih_l0_v": tensor([1.0] * 4, (2, 2)),
        "weight_hh_l0": tensor([1.0] * 4, (2, 2))}),
    "weight_norm_shapes": lambda: saved({
        "weight_ih_l0_g": tensor([1.0] * 3, (3, 1)), "weight_ih_l0_v": tensor([1.0] * 4, (2, 2)),
        "weight_hh_l0": tensor([1.0] * 4, (2, 2))}),
    "mask_shapes": lambda: saved({
        "weight_ih_l0_mask": tensor([1.0] * 4, (4, 1)), "weight_ih_l0_orig": tensor([1.0] * 4, (2, 2)),
        "weight_hh_l0": tensor([1.0] * 4, (2, 2))}),
    "spectral_norm": lambda: saved({
        "weight_ih_l0": tensor([1.0] * 4, (2, 2)), "weight_hh_l0": tensor([1.0] * 4, (2, 2)),
        "fc.parametrizations.weight.original": tensor([1.0] * 4, (2, 2))}),
    "axis": lambda: saved({n: Call(
        utils._rebuild_qtensor, storage([1, 2, 3, 4], "QInt8Storage"), 0, (2, 2), (2, 1),
        (torch.per_channel_affine, tensor([1.0] * 2, (2,)), tensor([1] * 2, (2,), "LongStorage"), 7), False,
        collections.OrderedDict()) for n in NAMES}),
    "frozen": lambda: saved(scripted("__torch__.net.Net", training=False)),
    "quantised_dynamic": lambda: pickled(b"\x80\2}X\2\0\0\0fcctorch\nScriptObject\n)\x81s."),
    "traced_tanh": lambda: script_functions(Hardtanh=traced("Hardtanh", "hardtanh_(x, 3., 2.)")),
    "traced_gelu": lambda: script_functions(GELU=traced("GELU", 'gelu(x, approximate="erf")')),
    "script_tanh": lambda: script_functions(Hardtanh={"max_val": "-2."}),
    "script_softplus": lambda: script_functions(Softplus={"beta": "3."}),
    "quantised_view": lambda: saved({n: Call(
        utils._rebuild_qtensor, storage([1, 2, 3, 4], "QInt8Storage"), 0, (2, 2), (1, 2),
        (torch.per_tensor_affine, 0.5, 0), False, collections.OrderedDict()) for n in NAMES}),
}


def main():
    if sys.argv[1] == "wrong":
        for name, make in wrong.items():
            with open(f"{sys.argv[2]}/{name}.pt", "wb") as out:
                out.write(make())
        good = only_pickle()
        for i in range(40):
            with open(f"{sys.argv[2]}/cut_{i}.pt", "wb") as out:
                out.write(pickled(good[:len(good) * i // 40]))
        return
    if sys.argv[1] == "script":
        with open(sys.argv[2], "wb") as out:
            out.write(script())
        return
    if sys.argv[1] == "normed":
        write_normed(sys.argv[2])
        return
    if sys.argv[1] == "functions":
        with open(sys.argv[2], "wb") as out:
            out.write(script_functions())
        return
    weights = [(n, v, s) for n, v, s in read_safetensors(sys.argv[2])
               if n.split(".")[-1].startswith(("weight", "bias")) and not n.startswith("grad.")]
    with open(sys.argv[3], "wb") as out:
        form = sys.argv[1]
        out.write(saved(plain(weights), protocol=4) if form == "protocol4" else saved(forms[form](weights)))


main()
