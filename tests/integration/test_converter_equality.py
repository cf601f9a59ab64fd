"""One streaming pass gives the bytes of the classic three-step route, and goes on where kill -9 cut it off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lorag_common.artifacts import sha256_file
from lorag_converter.pre_tokenizer import FAMILIES

HERE = Path(__file__).parent
VOCABULARY = 600
SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}


def tokenizer_of(family: str) -> transformers.PreTrainedTokenizerFast:
    """A small byte-level BPE that splits as the family does."""
    pattern = next(p for p, name in FAMILIES.items() if name == family)
    tokenizer = Tokenizer(models.BPE(ignore_merges=family == "llama-bpe"))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    corpus = ["The capacity of the hall is 482 people.", "青森館の定員は482人である。"] * 40
    corpus += [" ".join(f"word{i * j}" for j in range(9)) for i in range(200)]
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY - 2, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in ("<|end|>", "<|pad|>")])
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>", pad_token="<|pad|>")


def qwen2(tied: bool) -> Callable[[int], transformers.PretrainedConfig]:
    return lambda size: transformers.Qwen2Config(vocab_size=size, tie_word_embeddings=tied, **SHAPE)


def llama(size: int) -> transformers.PretrainedConfig:
    return transformers.LlamaConfig(vocab_size=size, tie_word_embeddings=False, head_dim=64, **SHAPE)


def make_base(folder: Path, config: Callable[[int], transformers.PretrainedConfig], family: str) -> Path:
    torch.manual_seed(0)
    tokenizer_of(family).save_pretrained(folder)
    config(VOCABULARY).save_pretrained(folder)
    # Loaded beside a configuration, a tokenizer may bring special tokens of its model's family.
    size = max(transformers.AutoTokenizer.from_pretrained(folder).get_vocab().values()) + 1
    model = transformers.AutoModelForCausalLM.from_config(config(size)).to(torch.bfloat16)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    return folder


def make_adapter(base: Path, folder: Path, **options: Any) -> Path:
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    settings = {"r": 8, "lora_alpha": 20, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | options
    model = get_peft_model(model, LoraConfig(**settings))
    torch.manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            if "magnitude" in name:
                parameter.mul_(1 + 0.1 * torch.randn_like(parameter))
            elif "lora_" in name:
                parameter.normal_(0, 0.05)
            else:
                parameter.add_(torch.randn_like(parameter) * 0.02)
    model.save_pretrained(folder)
    return folder


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


def classic(base: Path, adapter: Path | None, work: Path) -> str:
    work.mkdir()
    script = str(HERE / "classic_route.py")
    done = run(script, str(base), str(adapter or "-"), str(work), str(work / "classic.gguf"))
    assert done.returncode == 0, done.stderr
    return sha256_file(work / "classic.gguf")


def streamed(base: Path, adapter: Path | None, out: Path) -> subprocess.CompletedProcess[str]:
    extra = ["--adapter", str(adapter)] if adapter else []
    return run("-m", "lorag_converter.export", str(base), "--out", str(out), *extra)


CASES = {
    "qwen2-untied": (qwen2(tied=False), "qwen2", {}),
    "qwen2-tied": (qwen2(tied=True), "qwen2", {}),
    "llama": (llama, "llama-bpe", {}),
    "qwen2-rslora": (qwen2(tied=False), "qwen2", {"use_rslora": True, "alpha_pattern": {"q_proj": 7}}),
    "qwen2-dora": (qwen2(tied=False), "qwen2", {"use_dora": True}),
    "qwen2-trained-embeddings": (qwen2(tied=False), "qwen2", {"modules_to_save": ["embed_tokens", "lm_head"]}),
}


@pytest.mark.parametrize("case", CASES)
def test_same_sha256_as_the_classic_route(case: str, tmp_path: Path) -> None:
    config, family, options = CASES[case]
    base = make_base(tmp_path / "base", config, family)
    adapter = make_adapter(base, tmp_path / "adapter", **options)
    done = streamed(base, adapter, tmp_path / "stream.gguf")
    assert done.returncode == 0, done.stderr
    assert sha256_file(tmp_path / "stream.gguf") == classic(base, adapter, tmp_path / "work")
    assert {p.name for p in tmp_path.iterdir()} == {"base", "adapter", "work", "stream.gguf"}


@pytest.mark.parametrize("cut", ["immediately", "after some tensors"])
def test_a_killed_export_goes_on_and_gives_the_same_bytes(cut: str, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", qwen2(tied=False), "qwen2")
    out, journal = tmp_path / "model.gguf", tmp_path / "model.gguf.journal"
    assert streamed(base, None, tmp_path / "whole.gguf").returncode == 0
    process = subprocess.Popen([sys.executable, "-m", "lorag_converter.export", str(base), "--out", str(out)])
    wanted = 1 if cut == "immediately" else 9
    while process.poll() is None and (not journal.exists() or len(journal.read_text().splitlines()) <= wanted):
        time.sleep(0.0005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if not out.exists():
        finished = [json.loads(line) for line in journal.read_text().splitlines() if line.endswith('"')]
        assert len(finished) > wanted
    done = streamed(base, None, out)
    assert done.returncode == 0, done.stderr
    assert sha256_file(out) == sha256_file(tmp_path / "whole.gguf")
    assert not journal.exists()


def test_an_adapter_of_another_base_is_refused_by_tensor_and_shape(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", qwen2(tied=False), "qwen2")
    wide = {**SHAPE, "intermediate_size": 768}
    other = make_base(tmp_path / "other", lambda n: transformers.Qwen2Config(vocab_size=n, **wide), "qwen2")
    done = streamed(base, make_adapter(other, tmp_path / "adapter"), tmp_path / "out.gguf")
    assert done.returncode == 1
    assert "_proj.weight' has shape [" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out.gguf").exists()


def test_a_quantized_base_is_refused_with_the_cause_and_the_cure(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", qwen2(tied=False), "qwen2")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"quantization_config": {"quant_method": "bitsandbytes"}}))
    done = streamed(base, None, tmp_path / "out.gguf")
    assert done.returncode == 1
    assert "absmax" in done.stderr
    assert "unquantized" in done.stderr
    assert not list(tmp_path.glob("out.gguf*"))


def test_a_weight_that_is_no_number_is_named(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", qwen2(tied=False), "qwen2")
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[3, 5] = float("nan")
    model.save_pretrained(base)
    done = streamed(base, None, tmp_path / "out.gguf")
    assert done.returncode == 1
    assert "layers.1.mlp.up_proj.weight" in done.stderr
    assert not (tmp_path / "out.gguf").exists()


@pytest.mark.parametrize("tied", [True, False])
def test_the_merged_model_has_pefts_tensors(tied: bool, tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", qwen2(tied=tied), "qwen2")
    adapter = make_adapter(base, tmp_path / "adapter", modules_to_save=["embed_tokens"])
    out = tmp_path / "merged"

    done = run("-m", "lorag_converter.merged_model", str(base), "--adapter", str(adapter), "--out", str(out))

    assert done.returncode == 0, done.stderr
    given = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float16).state_dict()
    loaded = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float16)
    wanted = PeftModel.from_pretrained(loaded, adapter).merge_and_unload().state_dict()
    assert wanted.keys() == given.keys()
    assert [n for n in wanted if not torch.equal(wanted[n], given[n])] == []
    again = run("-m", "lorag_converter.merged_model", str(base), "--adapter", str(adapter), "--out", str(out))
    assert again.returncode == 1 and "is there already" in again.stderr
