"""The few keys and certificates that the cluster wants of us; the API server signs its own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_DAYS = 30


def key_pair(folder: Path, name: str) -> None:
    """A private key ``<name>.key`` and its public key ``<name>.pub``."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_key(folder / f"{name}.key", key := rsa.generate_private_key(public_exponent=65537, key_size=2048))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pub").write_bytes(public)


def certificate(folder: Path, name: str, names: tuple[str, ...] = (), group: str = "") -> None:
    """A certificate ``<name>.crt`` that is its own authority, with its key.

    Args:
        folder: Where it goes.
        name: Its common name.
        names: The DNS names of a server.
        group: The organisation, which Kubernetes reads as a group.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_key(folder / f"{name}.key", key := rsa.generate_private_key(public_exponent=65537, key_size=2048))
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, name), *([x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else [])]
    now, who = dt.datetime.now(dt.UTC), x509.Name(parts)
    made = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now, now + dt.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in names or (name,)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: rsa.RSAPrivateKey) -> None:
    """A private key, readable by its owner alone."""
    path.touch(mode=0o600)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
