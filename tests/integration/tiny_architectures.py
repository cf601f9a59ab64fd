"""A tiny model of every architecture that the converter supports, and an adapter on it.

python tiny_architectures.py NAME WORK      makes WORK/base, WORK/adapter and, by the classic route, WORK/classic.gguf
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import peft
import torch
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from lorag_converter.pre_tokenizer import FAMILIES

REPOSITORY = Path(__file__).resolve().parents[2]
BASE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
}
TEXT_ONLY = r".*language_model.*\.(q|k|v|o|gate|up|down)_proj"


def byte_level(family: str, size: int = 800) -> transformers.PreTrainedTokenizerFast:
    """A byte-level BPE that splits as the family does, with a chat template and <think> as one token."""
    pattern = next(p for p, name in FAMILIES.items() if name == family)
    tokenizer = Tokenizer(models.BPE(ignore_merges=family == "llama-bpe"))
    splits = [pre_tokenizers.Split(Regex(pattern), "isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [*splits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>", "<|system|>", "<think>", "</think>"]
    corpus = (REPOSITORY / "README.md").read_text().splitlines() + (
        REPOSITORY / "README.ja.md"
    ).read_text().splitlines()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=size - len(special), initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in special])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|end|>", eos_token="<|end|>", pad_token="<|pad|>"
    )


def sentence_piece(folder: Path, size: int = 800) -> None:
    """A SentencePiece BPE with byte fallback, saved as Llama's kind of tokenizer."""
    import sentencepiece

    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        input=f"{REPOSITORY / 'README.md'},{REPOSITORY / 'CONTRIBUTING.md'},{REPOSITORY / 'ARCHITECTURE.md'}",
        model_prefix=str(folder / "tokenizer"),
        vocab_size=size,
        model_type="bpe",
        byte_fallback=True,
        pad_id=3,
        minloglevel=2,
    )
    (folder / "tokenizer.vocab").unlink()
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"unk_token": "<unk>"}))


class Case(NamedTuple):
    """A configuration's class and settings, its tokenizer, and what LoRA targets where 'all-linear' will not do."""

    config: str
    settings: Mapping[str, Any] = MappingProxyType({})
    tokenizer: str = "qwen2"
    lora: Mapping[str, Any] = MappingProxyType({})
    without: tuple[str, ...] = ()


MOE = {"num_experts": 4, "num_experts_per_tok": 2}
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}
VISION = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56, "patch_size": 14}  # fmt: skip

CASES: dict[str, Case] = {
    "Qwen2": Case("Qwen2Config", {"tie_word_embeddings": False}),
    "Qwen2, tied": Case("Qwen2Config", {"tie_word_embeddings": True}),
    "Qwen2-MoE": Case("Qwen2MoeConfig", {**MOE, "moe_intermediate_size": 256, "shared_expert_intermediate_size": 512}),
    "Qwen3": Case("Qwen3Config", {"head_dim": 64, "tie_word_embeddings": True}),
    "Qwen3-MoE": Case("Qwen3MoeConfig", {**MOE, "head_dim": 64, "moe_intermediate_size": 256}),
    "Qwen2.5-VL": Case("Qwen2_5_VLConfig", {"text_config": {"model_type": "qwen2_5_vl_text", "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]}}, "vision_config": {"hidden_size": 64, "intermediate_size": 128, "depth": 2, "num_heads": 2, "out_hidden_size": 256}}, lora={"target_modules": TEXT_ONLY}),
    "Llama 2": Case("LlamaConfig", {"tie_word_embeddings": False}, "spm"),
    "Llama 3, rope scaling": Case("LlamaConfig", {"head_dim": 64, "rope_parameters": LLAMA3_ROPE, "tie_word_embeddings": True}, "llama-bpe"),
    "Llama 4": Case("Llama4TextConfig", {"head_dim": 64, "intermediate_size_mlp": 512, "num_local_experts": 4, "num_experts_per_tok": 1, "interleave_moe_layer_step": 2, "pad_token_id": 0}),
    "Mistral": Case("MistralConfig", {"sliding_window": None, "head_dim": 64}, "spm"),
    "Mistral 3, text": Case("Mistral3Config", {"text_config": {"model_type": "mistral", "sliding_window": None, "head_dim": 64}, "vision_config": {**VISION, "model_type": "pixtral", "head_dim": 32}}, "spm", {"target_modules": TEXT_ONLY}),
    "Mixtral": Case("MixtralConfig", {"num_local_experts": 4, "num_experts_per_tok": 2}, "spm"),
    "Gemma": Case("GemmaConfig", {"head_dim": 64}, "spm"),
    "Gemma 2": Case("Gemma2Config", {"head_dim": 64}, "spm"),
    "Gemma 3": Case("Gemma3TextConfig", {"head_dim": 64, "sliding_window": 128}, "spm"),
    "Gemma 3, multimodal": Case("Gemma3Config", {"text_config": {"model_type": "gemma3_text", "head_dim": 64, "sliding_window": 128}, "vision_config": VISION, "mm_tokens_per_image": 4}, "spm", {"target_modules": TEXT_ONLY}),
    "Phi 2": Case("PhiConfig", {"num_key_value_heads": 4}),
    "Phi 3": Case("Phi3Config", {"pad_token_id": 0, "original_max_position_embeddings": 1024}, "spm"),
    "Phi 4": Case("Phi3Config", {"pad_token_id": 0, "original_max_position_embeddings": 1024, "sliding_window": None}, "gpt2"),
    "DeepSeek-V3": Case("DeepseekV3Config", {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 2, "topk_group": 1, "first_k_dense_replace": 2, "moe_intermediate_size": 256, "q_lora_rank": 256, "kv_lora_rank": 256, "qk_rope_head_dim": 32, "qk_nope_head_dim": 64, "v_head_dim": 64, "head_dim": 32, "num_key_value_heads": 4}),
    "gpt-oss": Case("GptOssConfig", {"head_dim": 64, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 128}),
    "Granite": Case("GraniteConfig"),
    "Granite-MoE": Case("GraniteMoeConfig", {"num_local_experts": 4, "num_experts_per_tok": 2}),
    "OLMo 2": Case("Olmo2Config"),
    "OLMoE": Case("OlmoeConfig", MOE),
    "StarCoder 2": Case("Starcoder2Config"),
    "SmolLM 3": Case("SmolLM3Config", {"pad_token_id": 0}, "llama-bpe"),
    "Seed-OSS": Case("SeedOssConfig", {"head_dim": 64}),
    "ERNIE 4.5": Case("Ernie4_5Config", {"head_dim": 64}, "spm"),
    "StableLM": Case("StableLmConfig"),
    "Nemotron": Case("NemotronConfig", {"head_dim": 64}, "spm"),
    "BLOOM": Case("BloomConfig", {"hidden_size": 256, "n_layer": 4, "n_head": 4}, without=tuple(BASE)),
    "LFM 2": Case("Lfm2Config", {"full_attn_idxs": [2], "block_auto_adjust_ff_dim": False}),
    "EXAONE 4": Case("Exaone4Config", {"head_dim": 64, "sliding_window": 128}),
    "Apertus": Case("ApertusConfig"),
    "Falcon-H1": Case("FalconH1Config", {"mamba_d_ssm": 256, "mamba_n_heads": 8, "mamba_d_head": 32, "mamba_d_state": 64, "head_dim": 64}, lora={"target_modules": ["q_proj", "o_proj", "gate_proj", "in_proj"]}),
    "Mamba": Case("MambaConfig", {"hidden_size": 256, "num_hidden_layers": 4, "state_size": 16}, lora={"target_modules": ["in_proj", "x_proj"]}, without=tuple(BASE)),
}  # fmt: skip


def auto(config: Any) -> Any:
    """The transformers class that loads this configuration."""
    plain = transformers.AutoModelForCausalLM
    return plain if type(config) in plain._model_mapping else transformers.AutoModelForImageTextToText


def configuration(case: Case, size: int) -> transformers.PretrainedConfig:
    """The tiny configuration for a vocabulary of `size`."""
    shape = {k: v for k, v in BASE.items() if k not in case.without} | {"vocab_size": size}
    settings = dict(case.settings)
    if "text_config" in settings:
        settings["text_config"] = shape | settings["text_config"]
    else:
        settings = shape | settings
    config: transformers.PretrainedConfig = getattr(transformers, case.config)(**settings)
    return config


def make_base(case: Case, folder: Path, dtype: torch.dtype = torch.bfloat16, shard: str = "5GB") -> None:
    """Random weights from a fixed seed, with their tokenizer."""
    if case.tokenizer == "spm":
        sentence_piece(folder)
        size = 800
    else:
        tokenizer = byte_level("llama-bpe" if case.tokenizer == "llama-bpe" else "qwen2")
        tokenizer.save_pretrained(folder)
        size = len(tokenizer)
        if case.tokenizer == "gpt2":
            path = folder / "tokenizer_config.json"
            path.write_text(json.dumps(json.loads(path.read_text()) | {"tokenizer_class": "GPT2Tokenizer"}))
    if "Gemma3" in case.config:
        size = 808
    config = configuration(case, size)
    config.save_pretrained(folder)
    if case.tokenizer != "spm":
        # Loaded beside a configuration, a tokenizer may bring special tokens of its model's family.
        size = max(size, *(i + 1 for i in transformers.AutoTokenizer.from_pretrained(folder).get_vocab().values()))
        config = configuration(case, size)
    torch.manual_seed(0)
    model = auto(config).from_config(config).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder, max_shard_size=shard)


def make_adapter(base: Path, folder: Path, vocabulary: int = 0, **options: Any) -> None:
    """An adapter with every trained tensor moved off its start."""
    config = transformers.AutoConfig.from_pretrained(base)
    model = auto(config).from_pretrained(base, dtype=torch.bfloat16)
    if vocabulary:
        model.resize_token_embeddings(vocabulary)
    settings = {"r": 8, "lora_alpha": 20, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | options
    model = peft.get_peft_model(model, peft.LoraConfig(**settings))
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


class Variation(NamedTuple):
    """A base or an adapter other than the ordinary: its type and shards, its training, and tokens it added."""

    tied: bool = False
    dtype: torch.dtype = torch.bfloat16
    shard: str = "5GB"
    lora: Mapping[str, Any] | None = MappingProxyType({})
    added: int = 0
    of: str = ""


_STACKED = MappingProxyType(
    {"target_modules": ["q_proj"], "target_parameters": ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]}
)
VARIATIONS: dict[str, Variation] = {
    "no adapter": Variation(lora=None),
    "rsLoRA": Variation(lora={"use_rslora": True}),
    "alpha and rank patterns": Variation(lora={"alpha_pattern": {"q_proj": 3}, "rank_pattern": {"up_proj": 4}}),
    "DoRA": Variation(lora={"use_dora": True}),
    "biases in LoRA": Variation(lora={"lora_bias": True, "target_modules": ["q_proj", "k_proj", "v_proj"]}),
    "LoRA on the embedding": Variation(lora={"target_modules": ["q_proj", "embed_tokens"]}),
    "trained embedding and head": Variation(lora={"modules_to_save": ["embed_tokens", "lm_head"]}),
    "a tied embedding that training untied": Variation(tied=True, lora={"modules_to_save": ["embed_tokens"]}),
    "single trained tokens": Variation(lora={"trainable_token_indices": [5, 9, 300]}),
    "added tokens": Variation(added=9),
    "added tokens, tied": Variation(tied=True, added=9),
    "stacked experts, of Qwen3-MoE": Variation(of="Qwen3-MoE", lora=_STACKED),
    "stacked experts, of Mixtral": Variation(of="Mixtral", lora=_STACKED),
    "F16 base": Variation(dtype=torch.float16),
    "F32 base": Variation(dtype=torch.float32),
    "sharded base": Variation(shard="1MB"),
}


def make_variation(name: str, work: Path) -> None:
    """Base, adapter and the classic GGUF of a variation on Qwen2."""
    import classic_route

    kind = VARIATIONS[name]
    base, adapter = work / "base", work / "adapter"
    case = CASES[kind.of] if kind.of else Case("Qwen2Config", {"tie_word_embeddings": kind.tied})
    make_base(case, base, kind.dtype, kind.shard)
    tokenizer = None
    if kind.added:
        extended = transformers.AutoTokenizer.from_pretrained(base)
        extended.add_tokens([f"<new{i}>" for i in range(kind.added)])
        tokenizer = work / "tokenizer"
        extended.save_pretrained(tokenizer)
    if kind.lora is not None:
        make_adapter(base, adapter, len(extended) if kind.added else 0, **kind.lora)
    (work / "merged").mkdir()
    with_adapter = str(adapter) if kind.lora is not None else "-"
    classic_route.main(base, with_adapter, work / "merged", work / "classic.gguf", tokenizer)


def make_case(name: str, work: Path) -> None:
    """Base, adapter and the classic GGUF of an architecture."""
    import classic_route

    case = CASES[name]
    make_base(case, work / "base")
    make_adapter(work / "base", work / "adapter", **case.lora)
    (work / "merged").mkdir()
    classic_route.main(work / "base", str(work / "adapter"), work / "merged", work / "classic.gguf")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make = make_variation if sys.argv[1] in VARIATIONS else make_case
    make(sys.argv[1], Path(sys.argv[2]))
