"""What a type checker sees of containers."""

from typing import Any, assert_type

from cacheback_app.containers import CacheContainer, ContainerRegistry, containers, init
from cacheback_app.stores import BaseStore


@containers.generator("greeting", expire="30 seconds")
def generate(name: str) -> str:
    return f"Hello {name}!"


@containers.generator("later")
async def generate_later(name: str) -> list[str]:
    return [name]


assert_type(generate("Peter"), str)
assert_type(init({}), ContainerRegistry)
assert_type(containers["greeting"], CacheContainer)
assert_type(containers["greeting"]["Peter"], Any)
assert_type(containers["greeting"].backend, BaseStore)
assert_type(containers["greeting"].expire, float | None)
assert_type("Peter" in containers["greeting"], bool)

containers["greeting"].generator = "greetings.generate"
containers["greeting"].generator = None
containers["greeting"][1]  # type: ignore[index]
containers.register_generator("greeting", 5)  # type: ignore[arg-type]
