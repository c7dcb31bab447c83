"""Distributions that exist for a test only."""

from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution
from pathlib import Path


class MadeUp:
    """Writes distributions into a folder, as an installer would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def install(
        self,
        name: str,
        files: Mapping[str, bytes],
        metadata: Iterable[str] = (),
        *,
        record: Iterable[str] | None = (),
        direct_url: str = "",
    ) -> Distribution:
        """Install files; `record` names more of them, and None leaves no list at all."""
        for path, content in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        info = self.folder / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        head = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *metadata]
        (info / "METADATA").write_text("\n".join(head) + "\n", encoding="utf-8")
        if direct_url:
            (info / "direct_url.json").write_text(direct_url, encoding="utf-8")
        if record is not None:
            lines = "".join(f"{path},,\n" for path in [*files, *record])
            (info / "RECORD").write_text(lines, encoding="utf-8")
        return Distribution.at(info)
