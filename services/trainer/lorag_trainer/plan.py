"""What can be known of a training before it is queued."""

from __future__ import annotations

from lorag_common.errors import LoragError, Reason
from lorag_common.resolve import require_base_model, resolve_base_model
from lorag_common.settings import ServiceSettings
from lorag_trainer.estimate import read_config


def check_training(base_model: str, settings: ServiceSettings) -> None:
    """Refuse a base model that cannot be had or cannot be trained on; a hub's model is checked when it has arrived.

    Raises:
        LoragError: BASE_MODEL_NOT_FOUND, BASE_MODEL_QUANTIZED, BASE_MODEL_UNREADABLE.
    """
    require_base_model(base_model, settings)
    try:
        base = resolve_base_model(base_model, settings)
    except LoragError as error:
        if error.reason is Reason.BASE_MODEL_NOT_FOUND:
            return
        raise
    read_config(base)
