"""A Kafka that requires TLS, with a password (SCRAM or PLAIN) or a client certificate."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from tests.certificates import Authority
from tests.servers import free_port
from tests.sources.kafka_server import KafkaServer

__all__ = ["PASSWORD", "USER", "SecuredKafka"]

USER = "forst"
PASSWORD = "s3cret-of-kafka"
_LOGIN = "org.apache.kafka.common.security"


class SecuredKafka(KafkaServer):
    """Kafka with more listeners, whose certificates are for ``localhost`` only.

    Args:
        directory: the directory for its files.
        authority: the certificate authority that it trusts.

    Attributes:
        passwords, certificates, expired: the ports where clients need a password, where they need
            a certificate, and where its own certificate has expired.
    """

    def __init__(self, directory: Path, authority: Authority) -> None:
        self.authority = authority
        self.client = authority.issue("kafka-client")
        self._stores = {
            name: self._store(directory, authority.issue(name, "localhost", is_expired=is_expired))
            for name, is_expired in (("valid", False), ("expired", True))
        }
        self.passwords, self.certificates, self.expired = free_port(), free_port(), free_port()
        super().__init__(directory)

    @staticmethod
    def _store(directory: Path, files: tuple[str, str]) -> Path:
        """Write a certificate and its key into one file, as Kafka requires."""
        path = directory / f"store-{Path(files[0]).name}"
        path.write_text("".join(Path(each).read_text() for each in reversed(files)))
        return path

    def format_options(self) -> list[str]:
        return ["--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"]

    def settings(self) -> dict[str, object]:
        ports = {"PASSWORDS": self.passwords, "CERTIFICATES": self.certificates}
        ports["EXPIRED"] = self.expired
        found = super().settings()
        for option in ("listeners", "advertised.listeners"):
            found[option] = ",".join(
                [str(found[option]), *(f"{name}://localhost:{ports[name]}" for name in ports)]
            )
        found["listener.security.protocol.map"] = (
            f"{found['listener.security.protocol.map']},PASSWORDS:SASL_SSL,CERTIFICATES:SSL,"
            "EXPIRED:SASL_SSL"
        )
        for name in ("passwords", "certificates", "expired"):
            prefix = f"listener.name.{name}"
            found |= {
                f"{prefix}.ssl.keystore.type": "PEM",
                f"{prefix}.ssl.keystore.location": self._stores[
                    "expired" if name == "expired" else "valid"
                ],
                f"{prefix}.ssl.truststore.type": "PEM",
                f"{prefix}.ssl.truststore.location": self.authority.ca,
                f"{prefix}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
                f"{prefix}.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required "
                f'user_{USER}="{PASSWORD}";',
                f"{prefix}.scram-sha-256.sasl.jaas.config": f"{_LOGIN}.scram.ScramLoginModule "
                "required;",
            }
        found["listener.name.certificates.ssl.client.auth"] = "required"
        return found

    def secured_url(
        self, topic: str, *, port: int = 0, host: str = "localhost", password: str = PASSWORD
    ) -> str:
        """Return a URL with a password, which is sent unhashed (PLAIN)."""
        return (
            f"kafka://{USER}:{password}@{host}:{port or self.passwords}?topic={topic}"
            f"&kafka.ssl.ca.location={quote(self.authority.ca)}"
        )
