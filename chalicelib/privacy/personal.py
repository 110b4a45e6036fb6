"""`Personal[...]`: a value that is stored only under a key that can be destroyed.

Pure. In a new event the value is plain; the event store seals it while writing, bound to its place
(`where`, the stream and commit, is the cipher's associated data); a loaded event holds it sealed.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from pydantic import Field, SerializationInfo, TypeAdapter, model_serializer

from chalicelib.kernel import Value

T = TypeVar("T")

Open = Callable[[str, str, str], bytes]
"""(subject, where, sealed) → plain bytes; raises `Erased`."""


class Erased(Exception):  # noqa: N818 -- a lawful state, not an error.
    """The person's key was destroyed: the value can never be read again."""


class Personal(Value, Generic[T]):
    """Something about a person, identified only by the opaque `subject`.

    Either plain (`value`) or sealed (`sealed`, readable only with the subject's key, and `where`).
    """

    subject: str
    value: T | None = Field(default=None, repr=False)
    sealed: str | None = Field(default=None, repr=False)
    where: str | None = None

    @model_serializer(mode="plain")
    def _write(self, info: SerializationInfo) -> dict[str, Any]:
        """Sealed values as they are; a plain one only through the store's seal, never openly."""
        if self.sealed is not None:
            return {"subject": self.subject, "sealed": self.sealed, "where": self.where}
        context = info.context or {}
        if "seal" not in context:
            raise ValueError("a personal value may be written only sealed")
        where = context["where"]
        assert self.value is not None
        sealed = context["seal"](self.subject, where, self._inner().dump_json(self.value))
        return {"subject": self.subject, "sealed": sealed, "where": where}

    def open(self, opener: Open) -> T:
        """The plain value.

        Raises:
            Erased: the person has been forgotten.
        """
        if self.sealed is None:
            assert self.value is not None
            return self.value
        return self._inner().validate_json(
            opener(self.subject, self.where or "", self.sealed), extra="ignore"
        )

    def _inner(self) -> TypeAdapter[T]:
        # By its type, which builds what was deferred: read as part of another value, the inner
        # one's own class may never have been used.
        return TypeAdapter(type(self).__pydantic_generic_metadata__["args"][0])
