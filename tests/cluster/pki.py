"""The few keys and certificates that the cluster needs; the API server signs its own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_LIFE = dt.timedelta(days=365)
_SKEW = dt.timedelta(hours=1)


def key_pair(folder: Path, name: str) -> None:
    """A private key ``<name>.key`` and its public key ``<name>.pub``."""
    key = _key(folder / f"{name}.key")
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)


def certificate(folder: Path, name: str, hosts: tuple[str, ...] = (), group: str = "") -> None:
    """A certificate ``<name>.crt`` that is its own authority, and its key ``<name>.key``.

    Args:
        folder: Where they go.
        name: Its common name.
        hosts: The DNS names of a server.
        group: The organisation, which Kubernetes reads as a group.
    """
    key = _key(folder / f"{name}.key")
    parts = [
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        *([x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []),
    ]
    now, who = dt.datetime.now(dt.UTC), x509.Name(parts)
    signed = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now - _SKEW, now + _LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts or (name,)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(data)


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A new private key, written to a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write_private(path, key.private_bytes(encoding, form, serialization.NoEncryption()))
    return key
