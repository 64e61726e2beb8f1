"""What a challenge asks to be handed in, as far as the words and parts of the panel depend on it."""

from __future__ import annotations

from dataclasses import dataclass

from goat.errors import Invalid
from goat.kinds.base import get_kind, parse_config
from goat.readers.onnx_rules import MAX_BATCH
from goat.records import Challenge

Choices = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers in a folder or file, unless told otherwise."""

    suffixes: tuple[str, ...] = ()
    """Endings of the one file that is taken: a model, which answers on the service."""
    batch: int | None = None
    """The challenge's batch size, where a participant may choose another."""

    @classmethod
    def by(cls, about: Challenge) -> Asked:
        """What this challenge asks for; answers, if its kind is not installed here."""
        try:
            kind = get_kind(about.kind)
            config = parse_config(kind, about.config)
        except Invalid:
            return cls()
        chooses = "batch_size" in kind.options_type.__struct_fields__
        return cls(kind.suffixes, getattr(config, "batch_size", 1) if chooses else None)

    @property
    def model(self) -> bool:
        return bool(self.suffixes)

    @property
    def title(self) -> str:
        return "Your model" if self.model else "Your answers"

    @property
    def placeholder(self) -> str:
        if self.model:
            return f"path of your {self.suffixes[0]} file"
        return "folder or file with your answers"

    @property
    def missing(self) -> str:
        """Said when nothing was chosen."""
        if self.model:
            return f"Choose your {self.suffixes[0]} file first."
        return "Choose the folder or file with your answers first."

    def meaning(self, *, test: bool) -> str:
        """What a mode means, as HTML."""
        inputs, ranked = ("sample", "not for the board") if test else ("evaluation", "for the board")
        if self.model:
            return f"the service runs it on the <b>{inputs}</b> inputs, {ranked}"
        return f"answers to the <b>{inputs}</b> inputs, {ranked}"

    @property
    def batches(self) -> Choices:
        """Label and value of each batch size to choose from; 0 stands for none chosen."""
        usual = f"as the model says, else {self.batch}"
        return [(usual, 0), *((str(size), size) for size in range(1, MAX_BATCH + 1))]
