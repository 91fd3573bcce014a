"""Makes the files of this folder: networks as torch.onnx.export writes them, with random weights, and what PyTorch
computes with them in double precision: x, or tokens, and y.

    python3 export.py      needs PyTorch (Debian: python3-torch; made with 1.13)

Those that end in .pt are TorchScript.
"""
import json
import struct
import warnings

import torch
from torch import nn

torch.manual_seed(11)
warnings.filterwarnings("ignore")

STEPS, BATCH, INPUTS, HIDDEN = 6, 2, 3, 4


class Net(nn.Module):
    """A recurrent network with what stands around it; `read` is what of it goes on."""

    def __init__(self, kind, read="steps", heads=(), functions=nn.Identity(), tokens=0, **options):
        super().__init__()
        self.table = nn.Embedding(tokens, INPUTS) if tokens else None
        self.recurrent = getattr(nn, kind)(INPUTS, HIDDEN, **options)
        self.read, self.functions = read, functions
        width = HIDDEN * (2 if options.get("bidirectional") else 1)
        self.heads = nn.ModuleList(nn.Linear(width, units) for units in heads)

    def forward(self, x, *states):
        if states:
            y, state = self.recurrent(x, states if len(states) > 1 else states[0])
            return (y, *state) if len(states) > 1 else (y, state)
        y, state = self.recurrent(self.table(x) if self.table else x)
        h = state[0] if isinstance(state, tuple) else state
        if self.read == "last":
            y = y[:, -1] if self.recurrent.batch_first else y[-1]
        elif self.read == "ends":
            y = torch.cat([h[-2], h[-1]], 1)
        elif self.read == "state":
            y = h[-1]
        if not self.heads:
            return y
        return tuple(self.functions(head(y)) for head in self.heads)


networks = {
    "rnn_tanh": Net("RNN", num_layers=2),
    "rnn_relu_last": Net("RNN", "last", [2], nn.Tanh(), nonlinearity="relu", batch_first=True),
    "rnn_both_no_bias": Net("RNN", bidirectional=True, bias=False, batch_first=True),
    "lstm_two_layers_both": Net("LSTM", num_layers=2, bidirectional=True),
    "lstm_state": Net("LSTM", "state", [3], nn.ELU(0.5), batch_first=True),
    "lstm_no_bias": Net("LSTM", bias=False, heads=[2], functions=nn.LeakyReLU(0.125)),
    "lstm_tokens": Net("LSTM", heads=[5], functions=nn.LogSoftmax(-1), tokens=7, batch_first=True),
    "gru_ends": Net("GRU", "ends", [3], nn.Softmax(-1), bidirectional=True),
    "gru_two_layers": Net("GRU", num_layers=2, batch_first=True, heads=[2], functions=nn.Softplus()),
    "gru_heads": Net("GRU", heads=[3, 1], functions=nn.Sigmoid()),
}

# Two with the states before and after as inputs and outputs.
stateful = {
    "gru_states": Net("GRU", num_layers=2, batch_first=True),
    "lstm_states": Net("LSTM", bidirectional=True),
}


class Policy(nn.Module):
    """A network whose functions are modules in a Sequential."""

    def __init__(self, memory):
        super().__init__()
        self.memory = memory
        self.actor = nn.Sequential(nn.Linear(HIDDEN, 5), nn.ELU(0.5), nn.Linear(5, 4), nn.LeakyReLU(0.125),
                                   nn.Dropout(0.5), nn.Linear(4, 4), nn.GELU("tanh"), nn.Linear(4, 2),
                                   nn.Softsign())

    def forward(self, x):
        y, _ = self.memory(x)
        return self.actor(y)


# Linear layers alone.
scripted = {
    "policy": Policy(nn.LSTM(INPUTS, HIDDEN, batch_first=True)),
    "linear": nn.Sequential(nn.Linear(INPUTS, 5), nn.Tanh(), nn.Linear(5, 4), nn.SiLU(), nn.Linear(4, 2)),
}

# A class that was traced has calls instead of constants: of relu, of slopes, of batch_first.
traced = {
    "policy_traced": Policy(nn.RNN(INPUTS, HIDDEN, nonlinearity="relu", batch_first=True)),
    "policy_traced_gru": Policy(nn.GRU(INPUTS, HIDDEN, batch_first=True)),
}


def write_case(path, **arrays):
    header, data = {}, b""
    for name, values in arrays.items():
        values = values.contiguous().to(torch.int32 if name == "tokens" else torch.float32)
        raw = values.numpy().tobytes()
        header[name] = {"dtype": "I32" if name == "tokens" else "F32", "shape": list(values.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def sizes_of(net):
    return (BATCH, STEPS) if net.recurrent.batch_first else (STEPS, BATCH)


def export(name, net, inputs, input_names, output_names):
    time = {"x": {1 if net.recurrent.batch_first else 0: "time"}}
    torch.onnx.export(net, inputs, name + ".onnx", input_names=input_names, output_names=output_names,
                      opset_version=14, dynamic_axes=time)


def record(name, net):
    net.eval()
    x = torch.randint(0, 7, sizes_of(net)) if net.table else 2 * torch.randn(*sizes_of(net), INPUTS)
    export(name, net, (x,), ["x"], ["y%d" % i for i in range(max(1, len(net.heads)))])
    with torch.no_grad():
        y = net.double()(x if net.table else x.double())
    y = torch.cat(y, -1) if isinstance(y, tuple) else y
    write_case(name + ".safetensors", **{"tokens" if net.table else "x": x, "y": y})


for name, net in networks.items():
    record(name, net)

for name, net in stateful.items():
    x = 2 * torch.randn(*sizes_of(net), INPUTS)
    names = ["h", "c"] if isinstance(net.recurrent, nn.LSTM) else ["h"]
    states = [torch.randn(2, BATCH, HIDDEN) for _ in names]
    export(name, net, (x, *states), ["x"] + [n + "0" for n in names], ["y"] + [n + "n" for n in names])
    with torch.no_grad():
        y, *after = net.double()(x.double(), *(s.double() for s in states))
    write_case(name + ".safetensors", x=x, y=y, **{n + "0": s for n, s in zip(names, states)},
               **{n + "n": s for n, s in zip(names, after)})

for name, net in {**scripted, **traced}.items():
    net.eval()
    x = 2 * torch.randn(STEPS, INPUTS) if name == "linear" else 2 * torch.randn(BATCH, STEPS, INPUTS)
    torch.jit.save(torch.jit.trace(net, x) if name in traced else torch.jit.script(net), name + ".pt")
    with torch.no_grad():
        write_case(name + ".safetensors", x=x, y=net.double()(x.double()))

# Functions that are a Clip in ONNX, and one with numbers of its own.
record("gru_relu6", Net("GRU", heads=[3], functions=nn.ReLU6()))
record("gru_hard_tanh", Net("GRU", heads=[3], functions=nn.Hardtanh()))
record("gru_selu", Net("GRU", heads=[3], functions=nn.SELU()))
