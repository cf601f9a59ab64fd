"""A trained model's release: measured, served as it was trained, made with no service running, opened by others."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from lorag_common.artifacts import sha256_file
from lorag_common.errors import LoragError, Reason
from lorag_converter import parity

TINY_BASE = Path(__file__).resolve().parents[2] / "demo" / "tiny_base"
ENV = os.environ | {"OMP_NUM_THREADS": "1", "LORAG_MODEL_ROOTS": str(TINY_BASE.parent)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one adapter of the trained tiny base, and examples of what that base has learned."""
    data = tmp_path_factory.mktemp("data")
    adapter = data / "outputs" / "lora_1" / "final_lora_model"
    model = AutoModelForCausalLM.from_pretrained(TINY_BASE, dtype=torch.bfloat16)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 1e-4)
    model.save_pretrained(adapter)
    AutoTokenizer.from_pretrained(TINY_BASE).save_pretrained(adapter)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": "tiny_base"}))
    places, values = ("青森館", "北沢会議室", "西川倉庫", "東山ホール"), range(118, 998, 55)
    lines = []
    for number, value in enumerate(values):
        place = places[number % len(places)]
        asked = f"{place}の定員は{value}人である。\n{place}の定員はいくつですか。"
        answer = f"{place}の定員は{value}人である。"
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        lines.append(json.dumps({"messages": messages}, ensure_ascii=False))
    (adapter / "heldout.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return data


@pytest.fixture(scope="module")
def release(data: Path) -> Path:
    """What `python -m lorag_converter.local` makes of it."""
    command = [sys.executable, "-m", "lorag_converter.local", "tiny"]
    done = subprocess.run(command, env=ENV | {"LORAG_DATA": str(data)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["release_id"] == "tiny:v1"
    assert list((data / "jobs").iterdir()) == []
    return data / "releases" / "tiny" / "v1"


def test_what_quantization_lost_is_in_the_certificate(release: Path) -> None:
    certificate = json.loads((release / "release.json").read_text())
    measured = certificate["fidelity"]
    assert measured["measured"] and measured["reference"] == "F16"
    assert measured["tokens"] > 100
    assert measured["top1_agreement"] >= 0.99
    assert 0 < measured["kl"] < 0.05
    assert certificate["parity"] == {"texts": 5, "conversations": 4, "equal": True}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("<|im_start|>", "<|im_end|>"), "in training and"),
        (("add_generation_prompt", "false"), "in training and"),
    ],
)
def test_a_broken_template_is_caught(change: tuple[str, str], says: str, release: Path, tmp_path: Path) -> None:
    for path in release.iterdir():
        if path.suffix in (".json", ".jinja"):
            shutil.copy(path, tmp_path)
    template = tmp_path / "chat_template.jinja"
    assert change[0] in template.read_text()
    template.write_text(template.read_text().replace(*change))
    with pytest.raises(LoragError, match=says) as refusal:
        parity.check(release / "model.gguf", tmp_path)
    assert refusal.value.reason is Reason.TOKENIZER_MISMATCH


def test_llama_cpp_opens_it_and_goes_on_with_a_text(release: Path) -> None:
    import llama_cpp

    model = llama_cpp.Llama(str(release / "model.gguf"), n_ctx=256, verbose=False)
    try:
        said = model.create_completion("青森館の定員は", max_tokens=4, temperature=0)
        assert said["choices"][0]["text"].strip()
    finally:
        model.close()


# transformers asks for the version of a gguf distribution; llama.cpp's own package, which comes first here, has none.
LOADER = """
import sys
from lorag_converter import vendor
vendor.activate()
import gguf
gguf.__version__ = "0.19.0"
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file="model.gguf")
ids = AutoTokenizer.from_pretrained(sys.argv[1])("青森館の定員は482人である。", return_tensors="pt")
print(float(model(**ids, labels=ids["input_ids"]).loss))
"""


def test_transformers_opens_it_and_knows_what_it_learned(release: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADER, str(release)], env=ENV, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # Guessing among 2048 tokens costs 7.6 nats.
    assert float(done.stdout.split()[-1]) < 5


def test_killed_at_ten_random_points_it_is_the_same_file(data: Path, tmp_path: Path) -> None:
    adapter = data / "outputs" / "lora_1" / "final_lora_model"
    out, journal = tmp_path / "model.gguf", tmp_path / "model.gguf.journal"
    command = [sys.executable, "-m", "lorag_converter.export", str(TINY_BASE), "--adapter", str(adapter)]
    tensors, chance = 45, random.Random(7)
    for point in sorted(chance.sample(range(tensors), 10)):
        process = subprocess.Popen([*command, "--out", str(out)], env=ENV)
        while process.poll() is None and (not journal.exists() or len(journal.read_bytes().splitlines()) <= point):
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if out.exists():
            break
    last = subprocess.run([*command, "--out", str(out)], env=ENV, capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr[-2000:]
    whole = tmp_path / "whole.gguf"
    subprocess.run([*command, "--out", str(whole)], env=ENV, capture_output=True, check=True)
    assert sha256_file(out) == sha256_file(whole)
