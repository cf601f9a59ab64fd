"""API keys. Only a hash of each is kept, in `state/api_keys.json`; the key itself is shown once, when it is made.

`python -m lorag_gateway.access.keys create NAME --scope admin` makes the first one; it needs no running gateway.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import secrets
import sys
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path

from lorag_common.artifacts import write_json
from lorag_common.errors import LoragError, Reason

FILE = Path("state") / "api_keys.json"
PREFIX = "lorag"
# The secret has 256 random bits, so one round of SHA-256 keeps it: there is nothing to guess from.
SECRET_BYTES = 32


class Scope(IntEnum):
    """What a key allows; each includes those before it."""

    READ = 1
    """Look, search, ask and estimate; changes nothing."""
    WRITE = 2
    """Also upload, start and cancel jobs, activate releases, delete."""
    ADMIN = 3
    """Also keys, the audit log and the configuration."""

    @classmethod
    def named(cls, name: str) -> Scope:
        """The scope of a name.

        Raises:
            LoragError: INVALID_FIELD.
        """
        if name.upper() not in cls.__members__:
            raise LoragError(Reason.INVALID_FIELD, "A scope is read, write or admin.", field="scope")
        return cls[name.upper()]


@dataclass(frozen=True)
class Key:
    """One key as it is kept. `create_time` is RFC 3339."""

    id: str
    name: str
    scope: str
    sha256: str
    create_time: str

    def public(self) -> dict[str, str]:
        """Without the hash."""
        return {k: v for k, v in asdict(self).items() if k != "sha256"}


class Keys:
    """The keys of a data folder. Read again when the file changes, so that keys made by the command are felt at once."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE
        self._lock = threading.Lock()
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, Key] = {}

    def list(self) -> list[Key]:
        """All keys, newest first."""
        with self._lock:
            self._refresh()
            return sorted(self._keys.values(), key=lambda k: k.create_time, reverse=True)

    def create(self, name: str, scope: Scope) -> tuple[Key, str]:
        """Make a key; returns it and the text that is shown once.

        Raises:
            LoragError: INVALID_FIELD for an empty or overlong name.
        """
        if not 0 < len(name.strip()) <= 100:
            raise LoragError(Reason.INVALID_FIELD, "A key's name has 1 to 100 characters.", field="name")
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        key = Key(secrets.token_hex(4), name.strip(), scope.name.lower(), _hash(secret), now)
        with self._lock:
            self._refresh()
            self._keys[key.id] = key
            self._write()
        return key, f"{PREFIX}_{key.id}_{secret}"

    def revoke(self, key_id: str) -> None:
        """Forget a key; it opens nothing from now on.

        Raises:
            LoragError: KEY_NOT_FOUND.
        """
        with self._lock:
            self._refresh()
            if self._keys.pop(key_id, None) is None:
                raise LoragError(Reason.KEY_NOT_FOUND, f"There is no key '{key_id}'.", field="key_id")
            self._write()

    def get(self, key_id: str) -> Key | None:
        """A key by its id, None when it was revoked."""
        with self._lock:
            self._refresh()
            return self._keys.get(key_id)

    def verify(self, text: str) -> Key | None:
        """The key that this text is, None when it is none. The comparison takes the same time for every wrong secret."""
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self.get(key_id) if prefix == PREFIX else None
        found = hmac.compare_digest(_hash(secret), key.sha256 if key else "")
        return key if found else None

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return
        seen = (stat.st_mtime_ns, stat.st_ino)
        if seen != self._seen:
            listed = json.loads(self._path.read_text(encoding="utf-8"))
            self._keys = {k["id"]: Key(**k) for k in listed["keys"]}
            self._seen = seen

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, {"keys": [asdict(k) for k in self._keys.values()]})
        self._path.chmod(0o600)
        self._seen = None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def main() -> None:
    """Make, list or revoke keys in the data folder of the environment; prints one JSON object."""
    from lorag_gateway.settings import GatewaySettings

    parser = argparse.ArgumentParser(prog="lorag key")
    commands = parser.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create")
    create.add_argument("name")
    create.add_argument("--scope", default="write", choices=[s.name.lower() for s in Scope])
    commands.add_parser("list")
    commands.add_parser("revoke").add_argument("id")
    given = parser.parse_args()
    keys = Keys(GatewaySettings().data)
    try:
        if given.command == "create":
            key, text = keys.create(given.name, Scope.named(given.scope))
            print(json.dumps({"key": key.public(), "secret": text}, ensure_ascii=False))
        elif given.command == "list":
            print(json.dumps({"keys": [k.public() for k in keys.list()]}, ensure_ascii=False))
        else:
            keys.revoke(given.id)
            print(json.dumps({"revoked": given.id}))
    except LoragError as error:
        sys.exit(f"{error.message} {error.remedy}")


if __name__ == "__main__":
    main()
