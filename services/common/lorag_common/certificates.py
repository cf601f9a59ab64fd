"""A private certificate authority and one certificate a service, for `LORAG_TLS`; made once, by `lorag tls`."""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lorag_common.tls import CA, CERTIFICATE, KEY

SERVICES = ("gateway", "trainer", "converter", "indexer", "qa", "client")
AUTHORITY = "authority"
LOCAL = ("localhost", "127.0.0.1")
CLOCKS = datetime.timedelta(hours=1)


def make(folder: Path, days: int, names: tuple[str, ...] = ()) -> list[Path]:
    """Make `<folder>/<service>/` for every service, and one for clients; the authority's key stays in `authority/`.

    An authority that is there already is kept, so that running it again renews the certificates.

    Args:
        folder: where.
        days: how long they are valid.
        names: host names or addresses beside the service's own name and loopback.
    """
    authority, authority_key = _authority(folder / AUTHORITY, days)
    made = []
    for service in SERVICES:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = (
            _builder(service, authority.subject, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([_name(n) for n in (service, *LOCAL, *names)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .sign(authority_key, hashes.SHA256())
        )
        _write(folder / service / CA, _pem(authority), 0o644)
        _write(folder / service / CERTIFICATE, _pem(certificate), 0o644)
        _write(folder / service / KEY, _key_pem(key), 0o600)
        made.append(folder / service)
    return made


def _authority(folder: Path, days: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    if (folder / KEY).exists():
        key = serialization.load_pem_private_key((folder / KEY).read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey), "the authority's key is of another kind"
        return x509.load_pem_x509_certificate((folder / CA).read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "LoRAG authority")])
    certificate = (
        _builder("LoRAG authority", name, key.public_key(), 10 * days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(folder / KEY, _key_pem(key), 0o600)
    _write(folder / CA, _pem(certificate), 0o644)
    return certificate, key


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "wb") as f:
        f.write(content)
