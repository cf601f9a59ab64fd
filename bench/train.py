"""Training speed: LoRAG's trainer against a plain TRL script, in one run on this machine.

`python -m bench.train` prints one line of JSON last:

- `tokens_per_s_ratio`: ours over plain TRL with the same settings (no packing, same batches): what our care costs.
- `tokens_per_s_ratio_defaults`: our defaults over TRL as it comes (padded batches of 8, gradient checkpointing), on
  short examples of uneven length: what packing brings. Tokens are the examples', padding not among them.

Each figure is the median of three rounds, the contestants taking turns.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from tests.integration.tiny_training import Training, make_base

STEPS, ROUNDS = 12, 3
SAME: dict[str, Any] = {
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 8,
    "gradient_checkpointing": False,
    "max_length": 2048,
}
"""Our settings, said to TRL."""
SHAPE = {
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def examples(count: int) -> list[dict[str, Any]]:
    """Short conversations of uneven length."""
    return [{"prompt": f"{n}番", "completion": "答えである。" * (1 + n * 7 % 11)} for n in range(count)]


def ours(folder: Path, models: Path, settings: dict[str, Any], data: list[dict[str, Any]]) -> float:
    """Tokens a second of the trainer's own loop, from its first step's end to its last."""
    training = Training(folder, models, settings, data)
    training.fit()
    return _speed([(e["time"], e["metrics"]) for e in training.events() if e["stage"] == "training"], _tokens(training))


def plain(folder: Path, base: Path, data: list[dict[str, Any]], **settings: Any) -> float:
    """The same training as a script that a reader of TRL's documentation would write; all else is TRL's default."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    ends: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **_: Any) -> None:
            ends.append(time.time())

    import torch

    quantization = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )
    model = AutoModelForCausalLM.from_pretrained(
        base, quantization_config=quantization, device_map={"": "cpu"}, dtype=torch.float32
    )
    rows = [
        {
            "prompt": [{"role": "user", "content": d["prompt"]}],
            "completion": [{"role": "assistant", "content": d["completion"]}],
        }
        for d in data
    ]
    config = SFTConfig(
        output_dir=str(folder),
        max_steps=STEPS,
        learning_rate=1e-3,
        use_cpu=True,
        bf16=False,
        report_to=[],
        disable_tqdm=True,
        logging_steps=1,
        save_strategy="no",
        dataloader_pin_memory=False,
        optim="adamw_torch",
        **settings,
    )
    trainer = SFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(r=4, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        callbacks=[Clock()],
    )
    trainer.train()
    lengths = [len(row["input_ids"]) for row in trainer.train_dataset]
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    return batch * statistics.mean(lengths) * (len(ends) - 1) / (ends[-1] - ends[0])


def _tokens(training: Training) -> float:
    """Tokens of an optimizer step, on average over all examples."""
    from transformers import AutoTokenizer

    from lorag_trainer.datasets import DatasetStore
    from lorag_trainer.hyperparameters import TrainingSettings
    from lorag_trainer.render import Renderer

    spec = json.loads((training.folder / "spec.json").read_text())
    settings = TrainingSettings.parse(spec["settings"])
    renderer = Renderer(AutoTokenizer.from_pretrained(training.models / spec["base_model"]))
    found = DatasetStore(training.data).examples(spec["dataset_id"])
    lengths = [len(row["input_ids"]) for e in found for row, _ in renderer.rows(e, settings.learn, settings.max_length)]
    return settings.batch_size * settings.gradient_accumulation * statistics.mean(lengths)


def _speed(events: list[tuple[float, dict[str, float]]], tokens_a_step: float) -> float:
    times = [at for at, _ in events]
    return tokens_a_step * (len(times) - 1) / (times[-1] - times[0])


def main() -> None:
    """Run the contestants in turns and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        models = root / "models"
        make_base(models / "tiny", **SHAPE)
        os.environ["LORAG_MODEL_ROOTS"] = str(models)
        data = examples(240)
        common = {"max_steps": STEPS, "heldout_fraction": 0, "checkpoint_steps": 1000, "warmup_steps": 0}
        same = {**common, "packing": False, "batch_size": 1, "gradient_accumulation": 8}
        defaults = {**common, "gradient_accumulation": 8}
        speeds: dict[str, list[float]] = {"ours": [], "plain": [], "ours_defaults": [], "plain_defaults": []}
        for n in range(ROUNDS):
            speeds["ours"].append(ours(root / f"a{n}", models, same, data))
            speeds["plain"].append(plain(root / f"b{n}", models / "tiny", data, **SAME))
            speeds["ours_defaults"].append(ours(root / f"c{n}", models, defaults, data))
            speeds["plain_defaults"].append(plain(root / f"d{n}", models / "tiny", data))
    found = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    ratios = {
        "tokens_per_s_ratio": round(found["ours"] / found["plain"], 3),
        "tokens_per_s_ratio_defaults": round(found["ours_defaults"] / found["plain_defaults"], 3),
    }
    sys.stdout.flush()
    print(json.dumps({"bench": "train", **ratios, **{f"{k}_tokens_per_s": v for k, v in found.items()}}))


if __name__ == "__main__":
    main()
