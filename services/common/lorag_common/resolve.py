"""Where base models and foreign adapters may be read from: the data folder, LORAG_MODEL_ROOTS and the hub cache."""

from __future__ import annotations

from pathlib import Path

from lorag_common.errors import LoragError, Reason
from lorag_common.settings import ServiceSettings

HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt"]
"""What is fetched of a hub repository: weights, configuration and tokenizer, no code."""
NAMED = 8
SMALL_FILES = [pattern for pattern in HUB_FILES if "safetensors" not in pattern]


def below_roots(name: str, settings: ServiceSettings, marker: str) -> Path | None:
    """The folder `name` (absolute, or below a root) that holds `marker` and lies below an allowed root, or None."""
    for root in [settings.data, *settings.model_roots]:
        path = (root / name).resolve()
        if path.is_relative_to(root.resolve()) and (path / marker).is_file():
            return path
    return None


def local_base_models(settings: ServiceSettings) -> list[str]:
    """The folders right below the model roots that hold a model, by name."""
    return sorted({c.parent.name for root in settings.model_roots for c in root.glob("*/config.json")})


def resolve_base_model(name: str, settings: ServiceSettings, *, download: bool = False, weights: bool = True) -> Path:
    """The folder of a base model.

    Args:
        name: a folder below an allowed root, or a hub name such as `org/model`.
        settings: data folder and model roots.
        download: fetch a hub name that is not in the cache.
        weights: False asks for configuration and tokenizer only, which are fetched in seconds.

    Raises:
        LoragError: BASE_MODEL_NOT_FOUND, naming where it was looked for.
    """
    if not name:
        raise LoragError(Reason.INVALID_FIELD, "base_model is empty.", field="base_model")
    if (found := below_roots(name, settings, "config.json")) is not None:
        return found
    from huggingface_hub import snapshot_download

    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        try:
            wanted = HUB_FILES if weights else SMALL_FILES
            return Path(snapshot_download(name, local_files_only=not download, allow_patterns=wanted))
        except Exception as error:
            # The hub client has a dozen kinds of "not there"; which one it was stands in the message.
            raise _not_found(name, settings, f" The hub says: {type(error).__name__}.") from error
    raise _not_found(name, settings)


def require_base_model(name: str, settings: ServiceSettings) -> None:
    """Check quickly that a base model can be had, without downloading its weights.

    Raises:
        LoragError: BASE_MODEL_NOT_FOUND.
    """
    try:
        resolve_base_model(name, settings)
    except LoragError as missing:
        if (
            missing.reason is not Reason.BASE_MODEL_NOT_FOUND
            or name.count("/") != 1
            or name.startswith((".", "/", "~"))
        ):
            raise
        from huggingface_hub import HfApi

        try:
            HfApi().model_info(name, timeout=10)
        except Exception as error:
            raise missing from error


def _not_found(name: str, settings: ServiceSettings, more: str = "") -> LoragError:
    # What is there helps more than where: the folders' own paths are nobody's business beyond this machine.
    found = local_base_models(settings)
    there = (
        f"There are: {', '.join(found[:NAMED])}{', …' if len(found) > NAMED else ''}." if found else "There is none."
    )
    return LoragError(
        Reason.BASE_MODEL_NOT_FOUND,
        f"No base model '{name}': no such folder with a config.json below the model roots, and not in the hub cache. "
        f"{there}{more}",
        field="base_model",
    )
