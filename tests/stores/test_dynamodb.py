"""DynamoDBStore: what it sends, and what it does about credentials."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from cacheback_app.stores import AccessException, DataFormatException, DynamoDBStore
from cacheback_app.stores.handler import build
from tests import store_fixtures

boto3 = pytest.importorskip("boto3")
ROLE = "arn:aws:iam::123456789012:role/collector"


@pytest.fixture
def store(moto_store: dict[str, Any]) -> Iterator[DynamoDBStore]:
    store: Any = build("x", moto_store)
    yield store
    store.close()


@pytest.fixture
def client(moto: str) -> Iterator[Any]:
    client = boto3.client("dynamodb", endpoint_url=moto, region_name="us-east-1")
    yield client
    client.close()


@pytest.fixture
def sent(store: DynamoDBStore) -> list[tuple[str, dict[str, Any]]]:
    """What the store asks its server, as it comes."""
    calls: list[tuple[str, dict[str, Any]]] = []
    store._connected().meta.events.register(
        "provide-client-params.dynamodb.*",
        lambda params, model, **more: calls.append((model.name, params)),
    )
    return calls


def refused(client: Any, code: str, times: int) -> list[str]:
    """Have ``client`` get an error instead of its next answers; return what was asked."""
    asked: list[str] = []

    def answer(model: Any, **more: Any) -> Any:
        asked.append(model.name)
        if len(asked) > times:
            return None
        http = type("Response", (), {"status_code": 400, "headers": {}})()
        return http, {
            "Error": {"Code": code, "Message": "by the test"},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RetryAttempts": 0},
        }

    client.meta.events.register("before-call.dynamodb.*", answer)
    return asked


def test_reads_are_consistent(store: DynamoDBStore, sent: list[Any]) -> None:
    """S5: every read asks for a consistent one, and every call is one request."""
    store.set("consistent", "sk", "one")
    store.get("consistent", "sk")
    store.set("consistent", "sk", "two", constraint="one")
    store.delete("consistent", "sk", constraint="two")
    assert [name for name, _ in sent] == ["PutItem", "GetItem", "PutItem", "DeleteItem"]
    assert sent[1][1]["ConsistentRead"] is True
    assert all("ConditionExpression" in params for _, params in sent[2:])


def test_item(store: DynamoDBStore, moto_store: dict[str, Any], client: Any) -> None:
    """Keys and values are readable attributes; ``ttl`` is in whole seconds for DynamoDB."""
    before = time.time()
    store.set("item", "sk", "value", expire="1m")
    after = time.time()
    table = moto_store["OPTIONS"]["table"]
    key = {"pk": {"S": "item"}, "sk": {"S": "sk"}}
    item = client.get_item(TableName=table, Key=key)["Item"]
    assert item["data"] == {"S": "value"}
    assert before + 60 <= float(item["expires"]["N"]) <= after + 60
    assert 0 <= int(item["ttl"]["N"]) - float(item["expires"]["N"]) < 1
    store.set("item", "sk", "value")
    assert client.get_item(TableName=table, Key=key)["Item"].keys() == {"pk", "sk", "data"}


def test_long_keys(store: DynamoDBStore, sent: list[Any]) -> None:
    """S3: keys beyond DynamoDB's limits (2,048 and 1,024 bytes) are sent as digests."""
    store.set("p" * 2048, "s" * 1024, "as they are")
    store.set("p" * 2049, "s" * 1025, "digests")
    store.set("é" * 1024, "é" * 513, "by bytes")
    store.set("sha256:", "sha256:", "looks like one")
    keys = [(params["Item"]["pk"]["S"], params["Item"]["sk"]["S"]) for _, params in sent]
    assert keys[0] == ("p" * 2048, "s" * 1024)
    assert [(len(pk), len(sk)) for pk, sk in keys[1:]] == [(71, 71), (1024, 71), (71, 71)]


def test_table_is_missing(moto: str) -> None:
    """S1: a table that does not exist is an AccessException, for reads and writes."""
    store = DynamoDBStore("no-such-table", moto)
    with pytest.raises(AccessException):
        store.get("pk", "sk")
    with pytest.raises(AccessException):
        store.set("pk", "sk", "value", constraint="old")
    store.close()


def test_too_large(dynalite_store: dict[str, Any]) -> None:
    """S1: an item beyond DynamoDB's 400 KB is an AccessException, and nothing is stored."""
    store = build("x", dynalite_store)
    with pytest.raises(AccessException):
        store.set("large", "sk", "x" * 410_000)
    store.set("large", "sk", "x" * 390_000, not_set=True)
    store.close()


@pytest.mark.parametrize("code", ["ExpiredTokenException", "ExpiredToken"])
def test_expired_credentials(store: DynamoDBStore, code: str) -> None:
    """S5: when credentials have expired, new ones are got, and the call is sent once more."""
    store.set("expired", code, "value")
    first = store._client
    asked = refused(first, code, times=9)
    store.set("expired", code, "new", constraint="value")
    assert store.get("expired", code) == "new"
    assert asked == ["PutItem"]
    assert store._client is not first


def test_credentials_that_stay_expired(
    store: DynamoDBStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S5: they are renewed once for a call, not for ever."""
    asked: list[str] = []
    connect = store._connect

    def connect_in_vain() -> Any:
        client = connect()
        asked.append("credentials")
        refused(client, "ExpiredTokenException", times=9)
        return client

    monkeypatch.setattr(store, "_connect", connect_in_vain)
    with pytest.raises(AccessException):
        store.get("pk", "sk")
    assert asked == ["credentials"] * 2


def test_other_refusals(store: DynamoDBStore) -> None:
    """S1: who may not use the table gets an AccessException, without another try."""
    store._connected()
    first = store._client
    asked = refused(first, "AccessDeniedException", times=9)
    with pytest.raises(AccessException):
        store.get("pk", "sk")
    assert asked == ["GetItem"] and store._client is first


def test_a_retry_that_can_not_tell(store: DynamoDBStore) -> None:
    """S2: a condition that is unmet after a retry may be our own doing: an AccessException."""
    store.set("retried", "sk", "value")
    client = store._connected()

    def retry(parsed: dict[str, Any], **more: Any) -> None:
        parsed["ResponseMetadata"]["RetryAttempts"] = 1

    with pytest.raises(DataFormatException):
        store.set("retried", "sk", "new", constraint="other")
    client.meta.events.register("after-call.dynamodb.*", retry)
    with pytest.raises(AccessException):
        store.set("retried", "sk", "new", constraint="other")
    store.set("retried", "sk", "new", constraint="value")


def test_assumed_role(
    moto: str, moto_store: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With assume_role_arn the calls are signed with that role's credentials, from STS."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
    options = {**moto_store["OPTIONS"], "assume_role_arn": ROLE}
    store: Any = build("x", {**moto_store, "OPTIONS": options})
    store.set("role", "sk", "value")
    credentials = store._client._request_signer._credentials
    assert credentials.access_key.startswith("ASIA")
    assert credentials.token
    refused(store._client, "ExpiredTokenException", times=9)
    assert store.get("role", "sk") == "value"
    assert store._client._request_signer._credentials.token != credentials.token
    store.close()


def test_sts_is_unreachable(monkeypatch: pytest.MonkeyPatch, moto: str) -> None:
    """S1: a role that can't be assumed is an AccessException."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    store = DynamoDBStore("table", moto, assume_role_arn=ROLE)
    with pytest.raises(AccessException):
        store.get("pk", "sk")


def test_create_table(moto: str) -> None:
    """create_table makes a table that works, once, in the region that was asked for."""
    definition = store_fixtures.dynamodb(moto)
    store: Any = build("x", definition)
    store.set("pk", "sk", "value")
    with pytest.raises(AccessException):
        store.create_table()
    elsewhere = DynamoDBStore(definition["OPTIONS"]["table"], moto, "eu-west-1")
    with pytest.raises(AccessException):
        elsewhere.get("pk", "sk")
    store.close()
    elsewhere.close()
