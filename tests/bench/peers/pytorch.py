"""The driver for PyTorch: torch.nn.RNN, LSTM or GRU, called from Python as its users call it. README
describes the lines."""
import sys
import time

try:
    import numpy
    import torch
except ImportError as error:
    print(f'absent {error}', flush=True)
    sys.exit()

VARIANTS = ['eager', 'scripted']


class Scripted(torch.nn.Module):
    """torch.jit.freeze wants a module with one forward; nn.RNN and its kind have two."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor):
        return self.inner(x)


def load(cell, sizes, path):
    """The module with its weights, and x."""
    inputs, hidden, layers, directions, batch, steps = sizes
    gates = {'lstm': 4, 'gru': 3}.get(cell, 1)
    values, at = torch.from_numpy(numpy.fromfile(path, dtype=numpy.float32)), 0
    kind = {'lstm': torch.nn.LSTM, 'gru': torch.nn.GRU}.get(cell, torch.nn.RNN)
    options = {} if kind is not torch.nn.RNN else {'nonlinearity': cell[len('rnn_'):]}
    module = kind(inputs, hidden, num_layers=layers, bidirectional=directions == 2, **options)
    state = {}
    for layer in range(layers):
        columns = inputs if layer == 0 else directions * hidden
        for direction in range(directions):
            for name, shape in (('weight_ih', (gates * hidden, columns)), ('weight_hh', (gates * hidden, hidden)),
                                ('bias_ih', (gates * hidden,)), ('bias_hh', (gates * hidden,))):
                count = 1
                for extent in shape:
                    count *= extent
                full = f'{name}_l{layer}' + ('_reverse' if direction else '')
                state[full] = values[at:at + count].reshape(shape).clone()
                at += count
    module.load_state_dict(state)
    return module.eval(), values[at:].reshape(steps, batch, inputs).clone()


def answer(words, state):
    if words[0] == 'variant':
        number = int(words[1])
        if number >= len(VARIANTS):
            return 'none'
        module = state['module']
        if VARIANTS[number] == 'scripted':
            module = torch.jit.freeze(torch.jit.script(Scripted(module).eval()))
        for _ in range(5):  # scripted code is compiled during its first calls
            module(state['x'])
        state['call'] = module
        return 'ready ' + VARIANTS[number]
    call, x = state['call'], state['x']
    if words[0] == 'run':
        y, hn = call(x)
        hn = hn[0] if isinstance(hn, tuple) else hn
        with open(words[1], 'wb') as file:
            file.write(y.contiguous().numpy().tobytes() + hn.contiguous().numpy().tobytes())
        return 'done'
    begin = time.perf_counter()
    for _ in range(int(words[1])):
        call(x)
    return f'{time.perf_counter() - begin:.9g}'


def main(argv):
    torch.set_num_threads(1)
    print('hello PyTorch ' + '.'.join(torch.__version__.split('.')[:2]), flush=True)
    module, x = load(argv[1], [int(word) for word in argv[2:8]], argv[8])
    state = {'module': module, 'x': x}
    with torch.inference_mode():
        for line in sys.stdin:
            print(answer(line.split(None, 1), state), flush=True)


main([word.rstrip('\n') for word in sys.argv])
