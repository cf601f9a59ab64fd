"""Bodies of trainings."""

from __future__ import annotations

from pydantic import Field

from lorag.trainer.v1 import trainer_pb2
from lorag_gateway.bodies.shared import Body, Int32, Int64


class TrainingSettings(Body):
    """The knobs of a fine-tuning; unset fields take the defaults named here."""

    use_qlora: bool | None = Field(
        default=None,
        description=(
            "Load the base quantized and train LoRA on it. Default true; false trains plain LoRA on the "
            "unquantized base."
        ),
    )
    qlora_4bit: bool | None = Field(
        default=None,
        description="Quantize the base to 4-bit NF4 with double quantization. Default true.",
    )
    r: Int32 | None = Field(
        default=None,
        description="LoRA rank. Default 16.",
    )
    lora_alpha: Int32 | None = Field(
        default=None,
        description="LoRA scaling numerator. Default 32.",
    )
    lora_dropout: float | None = Field(
        default=None,
        description="Dropout within the LoRA path, 0 to below 1. Default 0.",
    )
    epochs: float | None = Field(
        default=None,
        description="Passes over the dataset. Default 3; ignored when max_steps is set.",
    )
    max_steps: Int32 | None = Field(
        default=None,
        description="Optimizer steps; 0 (the default) means: by epochs.",
    )
    batch_size: Int32 | None = Field(
        default=None,
        description="Examples per device and micro-step. Default 1.",
    )
    gradient_accumulation: Int32 | None = Field(
        default=None,
        description="Micro-steps per optimizer step. Default 8.",
    )
    learning_rate: float | None = Field(
        default=None,
        description="Peak learning rate. Default 2e-4.",
    )
    warmup_steps: Int32 | None = Field(
        default=None,
        description="Steps of linear warm-up. Default 5.",
    )
    scheduler: str | None = Field(
        default=None,
        description=(
            "Learning-rate schedule after the warm-up: cosine, linear, constant, cosine_with_restarts, polynomial "
            "or inverse_sqrt. Default cosine."
        ),
    )
    max_length: Int32 | None = Field(
        default=None,
        description="Longest example in tokens; see too_long. Default 2048.",
    )
    checkpoint_steps: Int32 | None = Field(
        default=None,
        description="Steps between checkpoints. Default 50.",
    )
    heldout_fraction: float | None = Field(
        default=None,
        description="Share of the examples held out for measuring, 0 to 0.5. Default 0.05.",
    )
    gradient_checkpointing: bool | None = Field(
        default=None,
        description="Trade time for memory. Default true on CUDA, false on CPU.",
    )
    seed: Int32 | None = Field(
        default=None,
        description="Of data order and initial adapter weights. Default 0.",
    )
    use_rslora: bool | None = Field(
        default=None,
        description="Scale by lora_alpha / sqrt(r) instead of lora_alpha / r (rank-stabilised LoRA). Default false.",
    )
    use_dora: bool | None = Field(
        default=None,
        description="Learn magnitude and direction of the weights apart (DoRA); slower. Default false.",
    )
    neftune_alpha: float | None = Field(
        default=None,
        description="Noise on the embeddings while training (NEFTune), e.g. 5; 0, the default, is none.",
    )
    target_modules: str | None = Field(
        default=None,
        description=(
            "Names of the linear layers that get adapters, e.g. q_proj, separated by commas; empty, the default, "
            "means all."
        ),
    )
    packing: bool | None = Field(
        default=None,
        description=(
            "Lay several examples end to end in one sequence, each attending to itself alone; an optimizer step "
            "still sees batch_size x gradient_accumulation examples on average. Default true; it turns itself "
            "off, and says so, where the base model is found to attend across examples."
        ),
    )
    learn: str | None = Field(
        default=None,
        description=(
            "What is learned: assistant (every answer), completion (the last answer of an example) or all (every "
            "token). Default assistant. Plain text is always learned whole."
        ),
    )
    too_long: str | None = Field(
        default=None,
        description=(
            "What happens to an example of more than max_length tokens: refuse (the training), skip or truncate "
            "(it). Default refuse."
        ),
    )
    skip_refused: bool | None = Field(
        default=None,
        description="Train although lines of the dataset were refused. Default false.",
    )
    early_stopping_patience: Int32 | None = Field(
        default=None,
        description=(
            "Evaluations without a better held-out loss after which training stops; 0, the default, never. Needs "
            "held-out examples."
        ),
    )
    optimizer: str | None = Field(
        default=None,
        description="Optimizer: adamw, adamw_8bit or paged_adamw_8bit. Default paged_adamw_8bit on CUDA, adamw on CPU.",
    )
    weight_decay: float | None = Field(
        default=None,
        description="Decay of the adapter's weights per step, times the learning rate. Default 0.",
    )
    max_grad_norm: float | None = Field(
        default=None,
        description="Gradients are scaled down to this norm. Default 1.",
    )
    strategy: str | None = Field(
        default=None,
        description=(
            "How GPUs share the work: auto, single, ddp (a copy of the base on each) or fsdp (one base sharded "
            "over all). Default auto: the first of single, ddp and fsdp that the estimate says fits."
        ),
    )

    def to_proto(self) -> trainer_pb2.TrainingSettings:
        """Only what was set."""
        return trainer_pb2.TrainingSettings(**self.model_dump(exclude_none=True))


class TrainingBody(Body):
    """A training to start or to estimate."""

    base_model: str = Field(
        description="A folder below the model roots, or a name in the hub cache.",
        examples=["Qwen/Qwen2.5-0.5B-Instruct"],
    )
    dataset_id: str = Field(description="Of an uploaded dataset.", examples=["9f86d081884c7d65"])
    settings: TrainingSettings = Field(default_factory=TrainingSettings)


class EstimateTrainingBody(TrainingBody):
    """A training to estimate."""

    gpu_bytes: list[Int64] = Field(
        default=[],
        description="Free memory of each GPU to plan for; empty means this machine's.",
        examples=[[25757220864] * 2],
    )


class PreviewTrainingBody(TrainingBody):
    """A training to look into."""

    example_count: Int32 = Field(default=0, description="Examples to show; 0 means 3, at most 20.")


class DocumentsBody(Body):
    """Documents whose text becomes a dataset."""

    document_ids: list[str] = Field(default=[], description="In this order; empty means every searchable document.")
    name: str = Field(
        default="documents.jsonl", description="Of the dataset, for people.", min_length=1, examples=["manuals.jsonl"]
    )
