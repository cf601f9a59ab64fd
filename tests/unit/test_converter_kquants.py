"""The native kernel writes ggml's bytes: every type, every path, every kind of weights."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lorag_converter import vendor

vendor.activate()

import torch

from bench.distributions import DISTRIBUTIONS, make
from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason
from lorag_converter import ggml, kquants, native
from lorag_converter.quantizer import Quantizer
from lorag_converter.segments import Raw, Segment

REPOSITORY = Path(__file__).resolve().parents[2]
TINY_BASE = REPOSITORY / "demo" / "tiny_base"
CONVERTER = REPOSITORY / "services" / "converter"
PATHS = native.available()
KINDS = sorted(kquants.QUANTIZED)
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")

built = pytest.mark.skipif(not PATHS, reason="the native kernel was not built (no C compiler at install)")
each_path = pytest.mark.parametrize("path", PATHS)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)


def same_bytes(path: str, kind: Any, values: np.ndarray) -> bool:
    made = kquants.quantize(path, kind, torch.from_numpy(values)).numpy()
    return np.array_equal(made, ggml.quantize(int(kind), values))


def differing(path: str, kind: Any, elements: int, seed: int) -> list[str]:
    """Names of the distributions whose bytes are not ggml's."""
    return [name for name in DISTRIBUTIONS if not same_bytes(path, kind, make(name, elements, seed).reshape(-1, 4096))]


@built
def test_this_machine_runs_every_path_it_has() -> None:
    flags = Path("/proc/cpuinfo").read_text() if sys.platform == "linux" else ""
    assert PATHS[-1] == "scalar"
    assert ("avx2" in PATHS) == (" avx2 " in flags)
    assert ("avx512" in PATHS) == (" avx512bw " in flags)


@built
@each_kind
@each_path
def test_ggmls_bytes_on_every_distribution(path: str, kind: Any) -> None:
    assert len(DISTRIBUTIONS) >= 12
    assert differing(path, kind, 1 << 16, seed=1) == []


@pytest.mark.slow
@built
@each_kind
@each_path
def test_ggmls_bytes_on_four_million_elements_of_every_distribution(path: str, kind: Any) -> None:
    assert differing(path, kind, 1 << 22, seed=2) == []


@built
@each_kind
@each_path
@pytest.mark.parametrize(("rows", "columns"), [(1, 256), (3, 256), (5, 768), (7, 1280), (1, 5120), (13, 2304)])
def test_odd_numbers_of_rows_and_blocks(path: str, kind: Any, rows: int, columns: int) -> None:
    assert same_bytes(path, kind, make("gaussian", rows * columns, rows).reshape(rows, columns))


@built
@each_path
def test_q8_0_takes_rows_of_32(path: str) -> None:
    assert same_bytes(path, kquants.Types.Q8_0, make("outliers", 7 * 96).reshape(7, 96))


finite = st.floats(width=32, allow_nan=False, allow_infinity=False)
near_half = st.integers(-400, 400).map(lambda n: np.float32(n / 2))
few_values = st.lists(st.one_of(finite, near_half), min_size=1, max_size=6)


@built
@given(data=st.data(), values=few_values, scale=st.sampled_from([1.0, 1e-3, 1e-20, 1e-38, 1e20]))
@settings(max_examples=60, deadline=None)
def test_ggmls_bytes_for_blocks_of_few_values(data: Any, values: list[float], scale: float) -> None:
    with np.errstate(over="ignore", under="ignore"):
        pool = np.nan_to_num(np.array(values, np.float32) * np.float32(scale), posinf=3e38, neginf=-3e38)
    picks = data.draw(hnp.arrays(np.uint8, 256, elements=st.integers(0, len(values) - 1)))
    block = pool[picks].reshape(1, 256).astype(np.float32)
    for path in PATHS:
        for kind in KINDS:
            assert same_bytes(path, kind, block), (path, kind.name)


@built
@given(block=hnp.arrays(np.float32, (1, 512), elements=finite))
@settings(max_examples=60, deadline=None)
def test_ggmls_bytes_for_blocks_of_any_floats(block: np.ndarray) -> None:
    for path in PATHS:
        for kind in KINDS:
            assert same_bytes(path, kind, block), (path, kind.name)


@built
@each_path
@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [0, 255, 1023, 1024, 1279])
def test_what_ggml_calls_invalid_is_refused(path: str, bad: float, at: int) -> None:
    lib = ctypes.CDLL(str(Path(llama_cpp.__file__).parent / "lib" / "libggml-base.so"))
    lib.ggml_validate_row_data.restype = ctypes.c_bool
    lib.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    values = make("any-bits", 1280).reshape(1, 1280)
    assert lib.ggml_validate_row_data(0, values.ctypes.data, values.nbytes)
    kquants.quantize(path, kquants.Types.Q4_K, torch.from_numpy(values))

    values[0, at] = bad

    assert not lib.ggml_validate_row_data(0, values.ctypes.data, values.nbytes)
    for kind in KINDS:
        with pytest.raises(kquants.NotFinite):
            kquants.quantize(path, kind, torch.from_numpy(values))


@built
@each_path
def test_every_half_survives_and_every_rounding_to_half_is_torchs(path: str) -> None:
    halves = torch.arange(-(1 << 15), 1 << 15, dtype=torch.int32).to(torch.int16).view(torch.float16)
    halves = halves[halves.isfinite()].view(-1, 32)
    assert torch.equal(kquants.quantize(path, kquants.Types.F16, halves), halves.view(torch.uint8).view(-1))

    # Every value half-way between two halves, and its neighbours in float32.
    values = torch.sort(halves.float().view(-1)).values
    middle = (values[1:].double() + values[:-1].double()).div(2).float()
    around = [middle, torch.nextafter(middle, middle + 1), torch.nextafter(middle, middle - 1)]
    floats = torch.cat(around)[: 3 * middle.numel() // 32 * 32].view(-1, 32)
    made = kquants.quantize(path, kquants.Types.F16, floats, rounded=True)
    assert torch.equal(made, floats.half().view(torch.uint8).view(-1))


@built
@each_kind
@each_path
@pytest.mark.parametrize("source", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_merging_on_the_way_gives_the_bits_of_peft_in_fp16(path: str, kind: Any, source: torch.dtype) -> None:
    rows = torch.from_numpy(make("heavy-tailed", 1 << 14).clip(-9, 9).reshape(-1, 1024)).to(source)
    delta = torch.from_numpy(make("gaussian", 1 << 14, 3).reshape(-1, 1024))
    scale = 32 / 16 / 3

    made = kquants.quantize(path, kind, rows, delta=delta, scale=scale)

    merged = rows.to(torch.float16, copy=True).add_(delta * scale)
    assert np.array_equal(made.numpy(), ggml.quantize(int(kind), merged.float().numpy()))


@built
@each_path
def test_a_sum_beyond_half_is_refused(path: str) -> None:
    rows = torch.full((1, 256), 65000.0, dtype=torch.bfloat16)
    kquants.quantize(path, kquants.Types.Q6_K, rows, rounded=True)
    with pytest.raises(kquants.NotFinite):
        kquants.quantize(path, kquants.Types.Q6_K, rows, delta=torch.full((1, 256), 400.0), scale=2.0)


def segment_of(values: torch.Tensor) -> Segment:
    return Segment(
        len(values),
        lambda first, last: values[first:last].half(),
        lambda first, last: Raw(values[first:last], None, 0.0, rounded=True),
    )


@built
def test_on_the_first_difference_ggml_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.from_numpy(make("gaussian", 8 * 256).reshape(8, 256))
    quantizer = Quantizer()
    assert quantizer.path in PATHS
    right, native_made = quantizer.slab(segment_of(values), 0, 8, kquants.Types.Q4_K, check=5)
    assert native_made and quantizer.checked == 1 and not quantizer.doubt

    real = kquants.quantize

    def broken(*arguments: Any, **options: Any) -> torch.Tensor:
        made = real(*arguments, **options)
        made[-1] ^= 1
        return made

    monkeypatch.setattr(kquants, "quantize", broken)
    quantizer.slab(segment_of(values), 0, 8, kquants.Types.Q4_K, check=7)

    assert "differs from ggml" in quantizer.doubt and quantizer.path == "ggml"
    again, native_made = quantizer.slab(segment_of(values), 0, 8, kquants.Types.Q4_K, check=7)
    assert not native_made
    assert np.array_equal(again, right)


EXPORT_WITH_A_BROKEN_KERNEL = """
import json, sys
from pathlib import Path
from lorag_converter import export, kquants
real, calls = kquants.quantize, []
def broken(*arguments, **options):
    made = real(*arguments, **options)
    calls.append(1)
    if len(calls) > 8:
        made.fill_(0)
    return made
kquants.quantize = broken
print(json.dumps(export.export(Path(sys.argv[1]), None, Path(sys.argv[2]))))
"""


@built
def test_an_export_with_a_kernel_that_goes_wrong_still_has_ggmls_bytes(tmp_path: Path) -> None:
    def run(*command: str, path: str = "") -> str:
        environment = os.environ | {native.VARIABLE: path}
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    files = {}
    for path in (*PATHS, "ggml"):
        files[path] = tmp_path / f"{path}.gguf"
        report = run("-m", "lorag_converter.export", str(TINY_BASE), "--out", str(files[path]), path=path)
        assert f'"kernel": "{path}"' in report
    report = run("-c", EXPORT_WITH_A_BROKEN_KERNEL, str(TINY_BASE), str(tmp_path / "broken.gguf"))

    assert '"kernel": "ggml"' in report and "differs from ggml" in report
    assert len({sha256_file(f) for f in (*files.values(), tmp_path / "broken.gguf")}) == 1


def test_a_path_that_is_not_there_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "neon")
    with pytest.raises(LoragError) as refused:
        native.chosen()
    assert refused.value.reason is Reason.INVALID_FIELD and native.VARIABLE in refused.value.remedy


@pytest.mark.skipif(not COMPILER, reason="no C compiler")
def test_address_and_undefined_behaviour_sanitizers_find_nothing(tmp_path: Path) -> None:
    program = tmp_path / "sanitized"
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g", "-ffp-contract=off"]
    sources = [*sorted((CONVERTER / "native").glob("*.c")), REPOSITORY / "tests" / "native" / "sanitized.c"]
    command = [str(COMPILER), "-std=c11", "-Wall", "-Wextra", "-Werror", *sanitize, f"-I{CONVERTER / 'native'}"]
    built = subprocess.run(
        [*command, *map(str, sources), "-lm", "-o", str(program)], capture_output=True, text=True, check=False
    )
    if "cannot find" in built.stderr and "san" in built.stderr:
        pytest.skip("the C compiler has no sanitizers")
    assert built.returncode == 0, built.stderr

    done = subprocess.run([str(program)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert f"{max(len(PATHS), 1)} paths clean" in done.stdout
