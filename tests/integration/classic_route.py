"""The classic three steps, each by its own well-known tool, as what the converter's one pass is held against.

python classic_route.py BASE ADAPTER|- WORK OUT      merge (peft, fp16) -> F16 GGUF (llama.cpp) -> Q4_K_M (llama.cpp)
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from pathlib import Path

from lorag_converter import vendor

vendor.activate()

import conversion.base
import gguf
import llama_cpp
import peft
import torch
import transformers
from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

from lorag_converter.pre_tokenizer import by_pattern


def main(base: Path, adapter: str, work: Path, out: Path, tokenizer: Path | None = None) -> None:
    # The folder's name goes into the metadata.
    merged = work / base.name
    plain = transformers.AutoModelForCausalLM
    auto = (
        plain
        if type(transformers.AutoConfig.from_pretrained(base)) in plain._model_mapping
        else transformers.AutoModelForImageTextToText
    )
    model = auto.from_pretrained(base, dtype=torch.float16, device_map={"": "cpu"})
    if tokenizer is not None:
        model.resize_token_embeddings(len(transformers.AutoTokenizer.from_pretrained(tokenizer)))
    if adapter != "-":
        model = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload()
    model.save_pretrained(merged)
    for path in [*(tokenizer or base).glob("tokenizer*"), *(tokenizer or base).glob("chat_template*")]:
        shutil.copy(path, merged)
    conversion.base.TextModel.get_vocab_base_pre = lambda model, loaded: by_pattern(tokenizer or base)
    hyperparameters = ModelBase.load_hparams(merged, False)
    converter = get_model_class(get_model_architecture(hyperparameters, ModelType.TEXT))
    f16 = work / "f16.gguf"
    with torch.inference_mode():
        converter(merged, gguf.LlamaFileType.MOSTLY_F16, f16).write()
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    assert llama_cpp.llama_model_quantize(str(f16).encode(), str(out).encode(), ctypes.byref(parameters)) == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
