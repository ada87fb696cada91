"""Certificates for servers on loopback, made by openssl for one run: no key in the repository, none that expires."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True)
class Certificates:
    place: Path

    @property
    def authority(self) -> str:
        return str(self.place / "ca.pem")

    def server(self, name: str = "good") -> ssl.SSLContext:
        """`good`, `expired` (both signed by the authority), or `lone`, which nobody signed."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.place / f"{name}.pem", self.place / "server.key")
        return context


def make_certificates(place: Path) -> Certificates:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("certificates are made with the openssl program, which is not installed")

    def openssl(*words: str) -> None:
        subprocess.run([program, *words], cwd=place, check=True, capture_output=True)

    (place / "names").write_text(_NAMES)
    openssl("req", "-x509", *_KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=the tests")
    openssl("req", *_KEY, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    signed = ("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
    openssl(*signed, "-out", "good.pem", "-days", "2", "-extfile", "names")
    openssl(*signed, "-out", "expired.pem", "-days", "-1", "-extfile", "names")
    openssl("req", "-x509", "-key", "server.key", "-out", "lone.pem", "-subj", "/CN=localhost", "-addext", _NAMES)
    return Certificates(place)
