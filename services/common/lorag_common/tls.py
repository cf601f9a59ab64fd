"""TLS with client certificates between the services, on by one setting: LORAG_TLS names a folder with

    ca.pem     who may speak here
    cert.pem   who this service is; its names must be those it is reached by
    key.pem    its private key

Then every gRPC port asks for a certificate of that authority, and every client here shows its own. `lorag tls FOLDER`
makes such folders. Files are read when a service starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from lorag_common.errors import LoragError, Reason

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"


class TlsSettings(BaseSettings):
    """Read by whoever opens a channel or a port; environment, prefix `LORAG_`."""

    model_config = SettingsConfigDict(env_prefix="LORAG_", extra="ignore", env_ignore_empty=True)

    tls: Path | None = Field(default=None, description="Folder with ca.pem, cert.pem and key.pem; not set means plain.")


class Material(NamedTuple):
    """The three files' bytes, PEM."""

    ca: bytes
    certificate: bytes
    key: bytes


def material() -> Material | None:
    """What LORAG_TLS names; None when it is not set.

    Raises:
        LoragError: CONFIG_INVALID when a file is missing or cannot be read; that is never taken for "plain".
    """
    folder = TlsSettings().tls
    if folder is None:
        return None
    try:
        return Material(*((folder / name).read_bytes() for name in (CA, CERTIFICATE, KEY)))
    except OSError as error:
        raise LoragError(
            Reason.CONFIG_INVALID,
            f"LORAG_TLS names '{folder}', and {error.filename} cannot be read: {error.strerror}.",
            remedy="Make the certificates with `lorag tls FOLDER` and let LORAG_TLS name this service's folder in it.",
        ) from error
