"""Initial weights for a four-layer Qwen2 that can already quote: a copy circuit, laid out by hand.

A small transformer trained from random weights spends most of its budget discovering how to copy ("induction": find
the earlier place whose preceding words match the last words, continue as it continued). Here that wiring is the
starting point, and training only has to tune it. The idea of induction heads is from Olsson et al., "In-context
Learning and Induction Heads" (2022).

The residual stream (256 numbers per token) is divided so that the heads do not disturb one another:

    token      0-111   the token itself (its embedding, which is also what the tied output layer reads)
    back1    112-159   the token one back,   written by layer 0, head 0
    back2    160-199   the token two back,   written by layer 0, head 1
    back3    200-223   the token three back, written by layer 0, head 2
    context  224-255   a blurred average of about ten tokens back, written by layer 0, head 3

Layer 1, heads 0-2 and layer 2, heads 0-1 are induction heads: each looks for a position whose back1, back2, back3 and
context equal the present token, back1, back2 and context, and writes the token found there into `token`. The match
over `context` is what lets the model choose among many look-alikes, such as the `[` after every sentence when citing.
Layer 3 and the heads not named, and all MLPs, start random and small: training gives them their work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention

HIDDEN = 256
HEADS = 4
HEAD_SIZE = HIDDEN // HEADS
HALF = HEAD_SIZE // 2
LAYERS = 4
MLP_SIZE = 256
ROPE_THETA = 1e6

TOKEN = slice(0, 112)
BACK = (slice(112, 160), slice(160, 200), slice(200, 224))
CONTEXT = slice(224, 256)
TOKEN_SIZE = 112
BACK_SIZES = (48, 40, 24)
CONTEXT_SIZE = 32

EMBEDDING_SCALE = 0.1
# A head that looks a fixed number of tokens back: large equal biases on the fast rotary frequencies, the query's turned
# by that number. The slow frequencies would not tell neighbours apart and stay unused.
POSITION_AMPLITUDE = 10.0
POSITION_FREQUENCIES = slice(0, 10)
# The same with medium frequencies (about 0.1 rad per token) and a smaller bias is a soft window around 5 tokens back.
WINDOW_AMPLITUDE = 6.0
WINDOW_FREQUENCIES = slice(5, 9)
WINDOW_CENTRE = 5
# Induction has to work at any distance, so it matches on frequencies that hardly turn within the context.
SLOWEST_FREQUENCY = 0.0025
# The context counts a little more than one neighbour in the match.
CONTEXT_MATCH = 1.4
# How strongly heads write: neighbours and context gently, quoted tokens strongly.
BACK_WRITE = 0.07
CONTEXT_WRITE = 0.2
QUOTE_WRITE = {1: 0.17, 2: 0.05}
INDUCTION_HEADS = {1: (0, 1, 2), 2: (0, 1)}


@dataclass(frozen=True)
class _Head:
    """One attention head of a layer, and the rows (columns of `o_proj`) that belong to it."""

    attention: Qwen2Attention
    index: int

    @property
    def rows(self) -> slice:
        return slice(self.index * HEAD_SIZE, (self.index + 1) * HEAD_SIZE)


def tiny_config(vocabulary: int, *, end_token: int, pad_token: int, context: int) -> Qwen2Config:
    """The tiny model's shape: Qwen2 with 2.4 M parameters at a vocabulary of 2048."""
    return Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=MLP_SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=context,
        rms_norm_eps=1e-6,
        rope_theta=ROPE_THETA,
        tie_word_embeddings=True,
        use_sliding_window=False,
        bos_token_id=pad_token,
        eos_token_id=end_token,
        pad_token_id=pad_token,
    )


def build_model(config: Qwen2Config, seed: int) -> Qwen2ForCausalLM:
    """A model of that shape with the copy circuit in place (float32, CPU)."""
    model = Qwen2ForCausalLM(config)
    with torch.no_grad():
        _lay_out(model, torch.Generator().manual_seed(seed))
    return model


def _lay_out(model: Qwen2ForCausalLM, generator: torch.Generator) -> None:
    _randomize(model, generator)
    embedding = model.model.embed_tokens.weight
    embedding.zero_()
    embedding[:, TOKEN].normal_(0, EMBEDDING_SCALE, generator=generator)

    rotation = _orthogonal(TOKEN_SIZE, generator)
    context_view = _orthogonal(TOKEN_SIZE, generator)[:CONTEXT_SIZE]
    layers = [layer.self_attn for layer in model.model.layers]
    _write_neighbours(layers[0], rotation, context_view)
    for layer, heads in INDUCTION_HEADS.items():
        for head in heads:
            _write_induction(_Head(layers[layer], head), rotation, QUOTE_WRITE[layer], layer, generator)


def _randomize(model: Qwen2ForCausalLM, generator: torch.Generator) -> None:
    """Every matrix small and random; those that write to the residual stream smaller still, so the circuit leads."""
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and "embed" not in name:
            writes = "o_proj" in name or "down_proj" in name
            weight.normal_(0, (0.1 if writes else 1.0) / math.sqrt(weight.shape[1]), generator=generator)


def _write_neighbours(attention: Qwen2Attention, rotation: Tensor, context_view: Tensor) -> None:
    """Layer 0: three heads fetch the three preceding tokens, the fourth averages over a window.

    `rotation` (112, 112) and `context_view` (32, 112) choose which directions of the token embedding are kept.
    """
    attention.q_proj.weight.mul_(0.05)
    attention.k_proj.weight.mul_(0.05)
    attention.v_proj.weight.zero_()
    attention.o_proj.weight.zero_()
    for index, (space, size) in enumerate(zip(BACK, BACK_SIZES, strict=True)):
        head = _Head(attention, index)
        _look_back(head, index + 1, POSITION_AMPLITUDE, POSITION_FREQUENCIES)
        _carry(head, rotation[:size], space, BACK_WRITE)
    window = _Head(attention, 3)
    _look_back(window, WINDOW_CENTRE, WINDOW_AMPLITUDE, WINDOW_FREQUENCIES)
    _carry(window, context_view, CONTEXT, CONTEXT_WRITE)


def _look_back(head: _Head, distance: int, amplitude: float, frequencies: slice) -> None:
    """Bias queries and keys so that the score, a sum of cosines, peaks `distance` tokens back."""
    strength = torch.zeros(HALF)
    strength[frequencies] = amplitude
    angle = _frequencies() * distance
    start = head.rows.start
    first, second = slice(start, start + HALF), slice(start + HALF, start + HEAD_SIZE)
    _bias(head.attention.k_proj)[first] = strength
    _bias(head.attention.k_proj)[second] = 0
    _bias(head.attention.q_proj)[first] = strength * torch.cos(angle)
    _bias(head.attention.q_proj)[second] = -strength * torch.sin(angle)


def _carry(head: _Head, view: Tensor, target: slice, scale: float) -> None:
    """Copy `view` (n, 112) of the attended token's embedding into the residual dimensions `target` (n)."""
    size = view.shape[0]
    rows = slice(head.rows.start, head.rows.start + size)
    head.attention.v_proj.weight[rows, TOKEN] = view
    head.attention.o_proj.weight[target, rows] = scale * torch.eye(size)


def _write_induction(head: _Head, rotation: Tensor, write: float, layer: int, generator: torch.Generator) -> None:
    """Match the last tokens against what precedes every earlier position, and write the token standing there."""
    slow = [i for i in range(HALF) if _frequencies()[i] < SLOWEST_FREQUENCY]
    dims = slow + [i + HALF for i in slow]

    def mixing(size: int) -> Tensor:
        return torch.randn(len(dims), size, generator=generator) / math.sqrt(len(dims))

    query, key = torch.zeros(len(dims), HIDDEN), torch.zeros(len(dims), HIDDEN)
    # (what the query reads, what the key reads): the present token against back1, back1 against back2, and so on.
    sources = (TOKEN, BACK[0], BACK[1])
    for source, target, size in zip(sources, BACK, BACK_SIZES, strict=True):
        mix = mixing(size)
        if source is TOKEN:
            query[:, TOKEN] = mix @ rotation[:size]
        else:
            query[:, source.start : source.start + size] = mix
        key[:, target] = mix
    mix = mixing(CONTEXT_SIZE) * CONTEXT_MATCH
    query[:, CONTEXT] = mix
    key[:, CONTEXT] = mix
    _set_rows(head.attention.q_proj.weight, head, dims, query)
    _set_rows(head.attention.k_proj.weight, head, dims, key)

    # The first induction layer moves token embeddings only; the second moves whatever the first has concluded.
    width = TOKEN_SIZE if layer == 1 else HIDDEN
    view = _orthogonal(width, generator)[:HEAD_SIZE]
    head.attention.v_proj.weight[head.rows] = 0
    head.attention.v_proj.weight[head.rows, :width] = view
    head.attention.o_proj.weight[:, head.rows] = 0
    head.attention.o_proj.weight[:width, head.rows] = view.t() * write


def _set_rows(weight: Tensor, head: _Head, dims: list[int], values: Tensor) -> None:
    rows = torch.zeros(HEAD_SIZE, HIDDEN)
    rows[dims] = values
    weight[head.rows] = rows


def _bias(projection: torch.nn.Linear) -> Tensor:
    return projection.bias


def _frequencies() -> Tensor:
    """Rotary angle per token of each pair of dimensions (32,), fastest first."""
    return torch.pow(torch.tensor(ROPE_THETA), -torch.arange(HALF) / HALF)


def _orthogonal(size: int, generator: torch.Generator) -> Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
