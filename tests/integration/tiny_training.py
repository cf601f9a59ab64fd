"""A tiny base and trainings of it, as a job's child runs them, without a service around them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from lorag_common.child import ChildJob
from lorag_trainer.datasets import DatasetStore
from lorag_trainer.hyperparameters import TrainingSettings
from lorag_trainer.metrics import read_metrics

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
EXAMPLES: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": f"{n}の次は？"}, {"role": "assistant", "content": f"{n + 1}です。[1]"}]}
    for n in range(20)
]


def make_base(folder: Path, **shape: int) -> None:
    """A Qwen2 of random weights with a byte-level tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(specials)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    config = Qwen2Config(
        **(sizes | shape),
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)


class Training:
    """One training job in a data folder of its own.

    Args:
        folder: where the data folder is made.
        models: the model root, with the base `tiny` in it.
        settings: of the training.
        examples: what is learned.
        base: another base below the model root.
    """

    def __init__(
        self,
        folder: Path,
        models: Path,
        settings: dict[str, Any],
        examples: list[dict[str, Any]] | None = None,
        base: str = "tiny",
    ) -> None:
        self.data, self.models = folder / "data", models
        store = DatasetStore(self.data)
        with store.upload("e.jsonl") as upload:
            upload.write("".join(json.dumps(e) + "\n" for e in examples or EXAMPLES).encode())
            dataset = upload.commit().id
        self.folder = self.data / "jobs" / "trainer-1"
        self.folder.mkdir(parents=True)
        parsed = TrainingSettings.parse({"r": 4, "learning_rate": 1e-3, **settings})
        spec = {"base_model": base, "dataset_id": dataset, "settings": parsed.model_dump()}
        (self.folder / "spec.json").write_text(json.dumps(spec | {"default_url": "http://127.0.0.1:9"}))

    def child(self, **env: str) -> subprocess.Popen[bytes]:
        """Start the job's child process."""
        given = os.environ | {"LORAG_MODEL_ROOTS": str(self.models), "CUDA_VISIBLE_DEVICES": ""} | env
        command = [sys.executable, "-m", "lorag_common.child", "lorag_trainer.train_job"]
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                [*command, str(self.folder), str(self.data)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=given,
                start_new_session=True,
            )

    def run(self, **env: str) -> dict[str, Any]:
        """Run the child to its end; its result."""
        with self.child(**env) as process:
            assert process.wait(240) == 0, (self.folder / "log.txt").read_text()[-3000:]
        return json.loads((self.folder / "result-lorag_trainer.train_job.json").read_text())  # type: ignore[no-any-return]

    def run_until_killed(self, step: int) -> None:
        """Run the child and kill -9 it once it has taken this step."""
        with self.child() as process:
            while not self.steps() or self.steps()[-1] < step:
                assert process.poll() is None, (self.folder / "log.txt").read_text()[-3000:]
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)

    def fit(self) -> dict[str, Any]:
        """Run the child's work in this process, which has torch already."""
        from lorag_trainer.fit import fit
        from lorag_trainer.ranks import Ranks

        return fit(ChildJob(self.folder, self.data), Ranks(1, "single", "cpu"))

    def metrics(self) -> list[dict[str, Any]]:
        """What was measured so far."""
        return read_metrics(self.folder / "metrics.jsonl")

    def steps(self) -> list[int]:
        """Steps taken so far, those before a restart that were taken again left out."""
        return [row["step"] for row in self.metrics() if "loss" in row]

    def events(self) -> list[dict[str, Any]]:
        """What the job said of itself."""
        return [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]

    def weights(self, result: dict[str, Any]) -> dict[str, Any]:
        """The tensors of the adapter that came of it, in fp32."""
        from safetensors.torch import load_file

        path = self.data / result["adapter"] / "adapter_model.safetensors"
        return {name: tensor.float() for name, tensor in load_file(path).items()}

    def card(self, result: dict[str, Any]) -> dict[str, Any]:
        """The adapter's training.json."""
        return json.loads((self.data / result["adapter"] / "training.json").read_text())  # type: ignore[no-any-return]
