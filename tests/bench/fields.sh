# shellcheck shell=sh
# fields.sh, to be read by the programs beside it: problems of the grid as fields of a spec.

# fields "cell I H L D B T": prints the fields; cell is rnn_tanh, rnn_relu, lstm or gru; then input size,
# hidden size, layers, directions, batch, steps.
fields() {
    # shellcheck disable=SC2086 # a list of words
    set -f -- $1
    [ $# -eq 7 ] || { echo "$0: '$*': expected cell I H L D B T" >&2; exit 2; }
    case $1 in
        rnn_*) cell="cell = \"rnn\", nonlinearity = \"${1#rnn_}\"" ;;
        *) cell="cell = \"$1\"" ;;
    esac
    both=false
    [ "$5" = 1 ] || both=true
    echo "$cell, input_size = $2, hidden_size = $3, num_layers = $4, bidirectional = $both, batch = $6"
}

# problems FILE: its lines without comments.
problems() { sed -e 's/#.*//' -e '/^ *$/d' "$1"; }
