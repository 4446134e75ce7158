"""The keyring on Secrets Manager, with spent nonces in the table."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.errors import SettingError, StoreUnavailableError
from chalicelib.keyring.protocol import Keys, Secret

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_secretsmanager import SecretsManagerClient

__all__ = ["AwsKeyring"]

_CONFIG = Config(
    connect_timeout=2, read_timeout=2, retries={"total_max_attempts": 3, "mode": "standard"}
)
_FRESH = timedelta(minutes=5)


class AwsKeyring:
    """Reads one secret of Secrets Manager and keeps it for five minutes."""

    def __init__(self, *, secret_id: str, table: str) -> None:
        self._secret_id = secret_id
        self._table = table
        self._kept: Keys | None = None
        self._kept_until: datetime | None = None
        self._secrets_client: SecretsManagerClient | None = None
        self._table_client: DynamoDBClient | None = None

    def keys(self, *, now: datetime) -> Keys:
        """See `Keyring.keys`."""
        if self._kept is None or self._kept_until is None or now >= self._kept_until:
            self._kept = self._parse(self._read())
            self._kept_until = now + _FRESH
        return self._kept

    def spend(self, nonce: str, *, expires: datetime) -> bool:
        """See `Keyring.spend`. One conditional put; the item goes with its TTL."""
        if self._table_client is None:
            self._table_client = boto3.client("dynamodb", config=_CONFIG)
        try:
            self._table_client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": f"N#{nonce}"},
                    "sk": {"S": "S"},
                    "ttl": {"N": str(int(expires.timestamp()))},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                return False
            raise StoreUnavailableError(reason=f"a nonce could not be stored: {error}") from error
        except BotoCoreError as error:
            raise StoreUnavailableError(reason=f"a nonce could not be stored: {error}") from error
        return True

    def _read(self) -> str:
        if self._secrets_client is None:
            self._secrets_client = boto3.client("secretsmanager", config=_CONFIG)
        try:
            return self._secrets_client.get_secret_value(SecretId=self._secret_id)["SecretString"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                raise SettingError(
                    name="BERTH_SECRET", reason=f"there is no secret {self._secret_id} with a value"
                ) from error
            raise StoreUnavailableError(reason="the secret could not be read") from error
        except BotoCoreError as error:
            raise StoreUnavailableError(reason="the secret could not be read") from error

    def _parse(self, text: str) -> Keys:
        try:
            value = json.loads(text)
            keys = Keys(
                webhook=tuple(Secret(str(secret)) for secret in value["webhook"]),
                ticket=Secret(str(value["ticket"])),
                page=Secret(str(value["page"])),
            )
        except (ValueError, TypeError, KeyError):
            # The cause is left out on purpose: it may quote the secret.
            raise SettingError(
                name="BERTH_SECRET", reason='not of the form {"webhook": [...], "ticket", "page"}'
            ) from None
        if not all(secret.reveal() for secret in (*keys.webhook, keys.ticket, keys.page)):
            raise SettingError(name="BERTH_SECRET", reason="a secret in it is empty")
        return keys
