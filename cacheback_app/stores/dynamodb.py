"""A table of Amazon DynamoDB, or of a server that speaks its protocol."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cacheback_app.engine.forks import watch
from cacheback_app.exceptions import ConfigurationException

from .checked import CheckedStore

T = TypeVar("T")

# What DynamoDB and STS call credentials that have run out.
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "UnrecognizedClientException"}
_UNMET = "ConditionalCheckFailedException"
# UTF-8 bytes that DynamoDB takes for a partition and a sort key.
_LIMITS = {"pk": 2048, "sk": 1024}
_DIGEST = "sha256:"
_LIVE = "(attribute_not_exists(expires) OR expires > :now)"


class UnknownOutcome(Exception):
    """A conditional write was sent again after no answer came, and then found its condition unmet:
    perhaps because the first one had been made."""


class DynamoDBStore(CheckedStore):
    """Keeps entries in a DynamoDB table with the text keys ``pk`` and ``sk``.

    The value is the attribute ``data``. ``expires`` is checked by every read; ``ttl``, in whole
    seconds, is for DynamoDB's own housekeeping when that is enabled for the table. Keys that are
    too long for DynamoDB are stored as digests. Reads are consistent.

    :param table: the table's name; :meth:`create_table` makes one for development.
    :param url: of another server than Amazon's.
    :param region: where the table is.
    :param assume_role_arn: a role to take on; otherwise boto3 finds credentials where it
        usually does.
    """

    def __init__(
        self,
        table: str = "cacheback",
        url: str | None = None,
        region: str = "us-east-1",
        assume_role_arn: str | None = None,
    ) -> None:
        try:
            import botocore.exceptions
        except ImportError as exc:
            raise ConfigurationException(
                "DynamoDBStore needs boto3: pip install cacheback-app[dynamodb]"
            ) from exc
        self._client_error = botocore.exceptions.ClientError
        if url is not None and urlsplit(url).scheme not in ("http", "https"):
            raise ConfigurationException("the option 'url' begins neither http:// nor https://")
        self.driver_errors = (
            botocore.exceptions.BotoCoreError,
            self._client_error,
            UnknownOutcome,
        )
        self._table = table
        self._url = url
        self._region = region
        self._role = assume_role_arn
        self.after_fork()
        watch(self)

    def after_fork(self) -> None:
        """Renew what a child must not share."""
        self._client: Any = None
        self._connecting = threading.Lock()

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def create_table(self) -> None:
        """Make the table, billed by request, and wait until it is there.

        :raises AccessException: when that fails, as it does when there is one.
        """
        try:
            client = self._connected()
            client.create_table(
                TableName=self._table,
                KeySchema=[
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")
                ],
                BillingMode="PAY_PER_REQUEST",
            )
            client.get_waiter("table_exists").wait(TableName=self._table)
        except self.driver_errors as exc:
            self._failed(exc)

    def _get(self, pk: str, sk: str) -> str | None:
        answer = self._call(
            lambda client: client.get_item(
                TableName=self._table, Key=_key(pk, sk), ConsistentRead=True
            )
        )
        item = answer.get("Item")
        if item is None or ("expires" in item and float(item["expires"]["N"]) <= time.time()):
            return None
        value: str = item["data"]["S"]
        return value

    def _set(
        self,
        pk: str,
        sk: str,
        value: str,
        not_set: bool,
        constraint: str | None,
        lifetime: float | None,
    ) -> bool:
        item = {**_key(pk, sk), "data": {"S": value}}
        if lifetime is not None:
            ends = time.time() + lifetime
            item |= {"expires": _number(ends), "ttl": _number(math.ceil(ends))}
        condition: dict[str, Any] = {}
        if constraint is not None:
            condition = _holds(constraint)
        elif not_set:
            condition = {
                "ConditionExpression": "attribute_not_exists(pk) OR expires <= :now",
                "ExpressionAttributeValues": {":now": _number(time.time())},
            }
        return self._write(
            lambda client: client.put_item(TableName=self._table, Item=item, **condition)
        )

    def _delete(self, pk: str, sk: str, constraint: str | None) -> bool:
        condition = {} if constraint is None else _holds(constraint)
        return self._write(
            lambda client: client.delete_item(TableName=self._table, Key=_key(pk, sk), **condition)
        )

    def _write(self, do: Callable[[Any], Any]) -> bool:
        """Write, and return whether the condition was met."""
        try:
            self._call(do)
        except self._client_error as exc:
            if exc.response["Error"]["Code"] != _UNMET:
                raise
            if exc.response["ResponseMetadata"].get("RetryAttempts"):
                raise UnknownOutcome(str(exc)) from exc
            return False
        return True

    def _call(self, do: Callable[[Any], T]) -> T:
        """Return ``do(client)``; once more with new credentials when the old ones have expired."""
        client = self._connected()
        try:
            return do(client)
        except self._client_error as exc:
            if exc.response["Error"]["Code"] not in _EXPIRED:
                raise
        with self._connecting:
            if self._client is client:  # no other thread has renewed them
                self._client = None
        return do(self._connected())

    def _connected(self) -> Any:
        client = self._client
        if client is None:
            with self._connecting:
                client = self._client = self._client or self._connect()
        return client

    def _connect(self) -> Any:
        import boto3

        session = boto3.session.Session(region_name=self._region)
        if self._role is not None:
            answer = session.client("sts").assume_role(
                RoleArn=self._role, RoleSessionName="cacheback"
            )
            credentials = answer["Credentials"]
            session = boto3.session.Session(
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                region_name=self._region,
            )
        return session.client("dynamodb", endpoint_url=self._url)


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": _short("pk", pk)}, "sk": {"S": _short("sk", sk)}}


def _short(name: str, key: str) -> str:
    """Return ``key``, or a digest when it is too long or looks like one."""
    encoded = key.encode()
    if len(encoded) <= _LIMITS[name] and not key.startswith(_DIGEST):
        return key
    return _DIGEST + sha256(encoded).hexdigest()


def _holds(constraint: str) -> dict[str, Any]:
    return {
        "ConditionExpression": f"#data = :constraint AND {_LIVE}",
        "ExpressionAttributeNames": {"#data": "data"},
        "ExpressionAttributeValues": {
            ":constraint": {"S": constraint},
            ":now": _number(time.time()),
        },
    }


def _number(value: float) -> dict[str, str]:
    return {"N": repr(value)}
