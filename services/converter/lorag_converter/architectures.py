"""The architectures that the converter vouches for: each is in the equality matrix (`make matrix`)."""

from __future__ import annotations

# config.json's name -> modules that transformers keeps in float32 when it loads this model in float16, so that they do
# not pass through fp16 on the way into the GGUF. The names are transformers' `_keep_in_fp32_modules(_strict)`.
SUPPORTED: dict[str, tuple[str, ...]] = {
    "ApertusForCausalLM": (),
    "BloomForCausalLM": (),
    "DeepseekV3ForCausalLM": ("e_score_correction_bias", "gate.weight"),
    "Ernie4_5ForCausalLM": (),
    "Exaone4ForCausalLM": (),
    "FalconH1ForCausalLM": (),
    "Gemma2ForCausalLM": (),
    "Gemma3ForCausalLM": (),
    "Gemma3ForConditionalGeneration": (),
    "GemmaForCausalLM": (),
    "GptOssForCausalLM": (),
    "GraniteForCausalLM": (),
    "GraniteMoeForCausalLM": (),
    "Lfm2ForCausalLM": (),
    "Llama4ForCausalLM": (),
    "LlamaForCausalLM": (),
    "MambaForCausalLM": (),
    "Mistral3ForConditionalGeneration": (),
    "MistralForCausalLM": (),
    "MixtralForCausalLM": (),
    "NemotronForCausalLM": (),
    "Olmo2ForCausalLM": (),
    "OlmoeForCausalLM": (),
    "Phi3ForCausalLM": (),
    "PhiForCausalLM": (),
    "Qwen2ForCausalLM": (),
    "Qwen2MoeForCausalLM": (),
    "Qwen2_5_VLForConditionalGeneration": (),
    "Qwen3ForCausalLM": (),
    "Qwen3MoeForCausalLM": (),
    "SeedOssForCausalLM": (),
    "SmolLM3ForCausalLM": (),
    "StableLmForCausalLM": (),
    "Starcoder2ForCausalLM": (),
}
