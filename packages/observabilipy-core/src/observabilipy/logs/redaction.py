"""Redaction: what must not be stored, known by its name."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from observabilipy.encoding.plain_copy import (
    CONTAINERS,
    MAX_CONTAINERS,
    MAX_FOREIGN,
    NATIVE,
    leaf_text,
    name_text,
    pair_name,
    plain_copy,
)
from observabilipy.errors import ConfigurationError

__all__ = ["ALLOWED_KEYS", "SECRET_KEYS", "Redaction"]

SECRET_KEYS: frozenset[str] = frozenset(
    """
    password passwords passwd pwd passphrase passcode secret secrets credential credentials creds
    token jwt bearer authorization cookie cookies csrf xsrf session signature otp totp
    api_key access_key account_key auth_key encryption_key master_key private_key signing_key ssh_key
    auth_header connection_string
    card_number credit_card cvc cvv basic_auth db_pass user_pass
    access_tokens api_tokens auth_tokens refresh_tokens api_keys access_keys private_keys secret_keys
    bearer_token password_hash set_cookie
    access_token api_token auth_token csrf_token id_token refresh_token xsrf_token api_secret client_secret secret_key
    db_password user_password session_id sess_id j_session_id php_sess_id csrf_middleware_token
    """.split()  # noqa: SIM905 - a list of them would have sixty lines
)
"""Names of what must not be seen. Those of two words and more are here because they are also written as one word."""

ALLOWED_KEYS: frozenset[str] = frozenset(
    """
    count counts total limit max min remaining budget used usage cost rate length size bytes
    age ttl lifetime duration seconds ms expires expired expiry expiration in at
    type kind name algorithm policy version status valid invalid present missing required enabled disabled changed
    rotated next_token page_token continuation_token method_signature function_signature
    """.split()  # noqa: SIM905 - likewise
)
"""What a name may end in to be harmless: it tells something about a secret, such as ``token_count``."""

_LEAVES: frozenset[object] = frozenset({str, int, float, bool, type(None), bytes})  # hold nothing that has a name
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_LETTERS = re.compile(r"[\W\d_]+")
_MOST_WORDS = 4  # that together may be a name, so that A.P.I.Key is api_key
_LONGEST_NAME = 1_000
_KNOWN_NAMES = 4_096
_MOST_WAITING = 100_000  # values: mappings that somebody wrote may hold others without end


@dataclass(frozen=True, slots=True)
class Redaction:
    """Which attributes of log entries are not stored.

    A name is read as words, parted by whatever is no letter and by capitals; it is secret when one of its words, or
    some of them in a row, are one of ``keys``. It is not when it ends in one of ``allow``.

    This holds for attributes, for names in mappings inside them at any depth, and for pairs in lists, such as headers;
    the value is replaced as a whole. Secrets inside of texts, such as messages, tracebacks and what ``str()`` makes of
    objects, have no name: only patterns find them.

    Args:
        keys: names of secrets, spelled in any way; ``SECRET_KEYS | {"iban"}`` adds one.
        allow: what harmless names end in.
        patterns: regular expressions; what they match in messages and in texts among the attributes, at any depth, is
            replaced. They take some microseconds for each entry; one that backtracks without end holds the runtime up.
        replacement: what stands where a secret was.

    Raises:
        ConfigurationError: a name without letters, a pattern that cannot be compiled or matches the empty text, or
            something of another type.
    """

    keys: Collection[str] = SECRET_KEYS
    allow: Collection[str] = ALLOWED_KEYS
    patterns: Iterable[str | re.Pattern[str]] = ()
    replacement: str = "[redacted]"
    _secret: frozenset[str] = field(init=False, repr=False, compare=False)
    _harmless_ends: frozenset[str] = field(init=False, repr=False, compare=False)
    _known_harmless: set[str] = field(init=False, repr=False, compare=False)
    _known_secret: set[str] = field(init=False, repr=False, compare=False)
    _compiled: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    _most_words: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.replacement, str):
            raise ConfigurationError(
                f'the replacement of a redaction must be a string, got {self.replacement!r}: write "[redacted]"'
            )
        compiled = _compiled(self.patterns)
        set_field = object.__setattr__
        set_field(self, "keys", _names(self.keys, "keys"))
        set_field(self, "allow", _names(self.allow, "allow"))
        set_field(self, "patterns", compiled)
        set_field(self, "_secret", frozenset("".join(_words(key)) for key in self.keys))
        set_field(self, "_harmless_ends", frozenset("".join(_words(key)) for key in self.allow))
        set_field(self, "_known_harmless", set())
        set_field(self, "_known_secret", set())
        set_field(self, "_compiled", compiled)
        set_field(self, "_most_words", max([_MOST_WORDS, *(len(_words(name)) for name in {*self.keys, *self.allow})]))

    def apply(self, attributes: Mapping[str, object], *, flat: bool = False) -> Mapping[str, object]:
        """The attributes without what must not be seen: the same object when nothing was found. Never raises.

        What holds a secret is copied as ``plain_copy`` does. ``flat`` says that no value is, or may hold, a mapping or
        a list, as ``json_text.is_flat`` finds out; then four attributes take 0.13 microseconds, otherwise 0.35.
        """
        try:
            if (
                self._known_harmless.issuperset(attributes)
                and not self._compiled
                and (flat or _LEAVES.issuperset(map(type, attributes.values())))
            ):
                return attributes
            return self._applied(attributes)
        except Exception:  # noqa: BLE001 - a mapping's own methods may raise anything
            copy = plain_copy(attributes, self)
            return copy if isinstance(copy, dict) else {"attributes": copy}

    @property
    def known_harmless(self) -> set[str]:
        """Names that were asked for and are harmless, for hot paths; it changes with each new name."""
        return self._known_harmless

    def text(self, text: str) -> str:
        """The text without what the patterns match. Without patterns it is the same object."""
        for pattern in self._compiled:
            text = pattern.sub(self._replace, text)
        return text

    def is_secret(self, name: str) -> bool:
        """Whether a value with this name must not be seen. Looked up: 50 ns once the name is known."""
        if name in self._known_harmless:
            return False
        if name in self._known_secret:
            return True
        words = _words(name)
        ends = ["".join(words[-length:]) for length in range(1, self._most_words + 1)]
        secret = _has_run(words, self._secret, self._most_words) and self._harmless_ends.isdisjoint(ends)
        known = self._known_secret if secret else self._known_harmless
        if len(known) >= _KNOWN_NAMES:  # names that somebody makes up, one after another
            known.clear()
        if len(name) <= _LONGEST_NAME:
            known.add(name)
        return secret

    def _replace(self, _: re.Match[str]) -> str:
        return self.replacement

    def _applied(self, attributes: Mapping[str, object]) -> Mapping[str, object]:
        changed: dict[str, object] = {}
        for name, value in attributes.items():
            if self.is_secret(name if type(name) is str else name_text(name)):
                changed[name] = self.replacement
            elif type(value) not in _LEAVES or self._compiled:
                seen = self._seen(value)
                if seen is not value:
                    changed[name] = seen
        return {**attributes, **changed} if changed else attributes

    def _seen(self, value: object) -> object:
        """What may be seen of a value."""
        try:
            if isinstance(value, CONTAINERS):
                return plain_copy(value, self) if self._has_secret(value) else value
            return self._seen_leaf(value)
        except Exception:  # noqa: BLE001 - a value's own methods may raise anything
            return plain_copy(value, self)

    def _seen_leaf(self, value: object) -> object:
        if not self._compiled:
            return value
        text = value if type(value) is str else leaf_text(value)
        if text is None:
            return value
        seen = self.text(text)
        return value if seen == text else seen

    def _has_secret(self, value: object) -> bool:
        """Whether there is something to redact in a container, or so much that nobody knows."""
        uninteresting: frozenset[object] = frozenset() if self._compiled else _LEAVES
        looked_at: set[int] = set()
        waiting: list[object] = [value]
        for one in waiting:
            if not isinstance(one, CONTAINERS):
                if self._seen_leaf(one) is not one:
                    return True
            elif id(one) not in looked_at:
                looked_at.add(id(one))
                for name, item in _contents(one, uninteresting):
                    if name is not None and self.is_secret(name):
                        return True
                    if type(item) not in uninteresting:
                        waiting.append(item)
                if len(looked_at) > MAX_CONTAINERS or len(waiting) > _MOST_WAITING:
                    return True
        return False


def _contents(value: object, uninteresting: frozenset[object]) -> Iterator[tuple[str | None, object]]:
    """What a container holds, and its names; as far as a copy would go, unless it is one of the language's own."""
    most = None if type(value) in NATIVE else MAX_FOREIGN + 1
    if isinstance(value, Mapping):
        for key, item in islice(value.items(), most):
            yield key if type(key) is str else name_text(key), item
    else:
        for item in islice(cast("Iterable[object]", value), most):
            if type(item) not in uninteresting:
                yield pair_name(item), item


def _words(name: str) -> list[str]:
    return [word for word in _NO_LETTERS.split(_CAPITALS.sub(" ", name[-_LONGEST_NAME:]).casefold()) if word]


def _has_run(words: list[str], names: frozenset[str], most_words: int) -> bool:
    return any(
        "".join(words[start : start + length]) in names
        for start in range(len(words))
        for length in range(1, most_words + 1)
    )


def _names(names: Collection[str], what: str) -> frozenset[str]:
    example = 'SECRET_KEYS | {"iban"}' if what == "keys" else 'ALLOWED_KEYS | {"session"}'
    if isinstance(names, str) or not _are_all(names, str):
        raise ConfigurationError(f"redaction {what} must be several names, got {names!r}: write {what}={example}")
    for name in names:
        if not _words(name):
            raise ConfigurationError(f"redaction {what} must have letters, got {name!r}: leave it out")
    return frozenset(names)


def _are_all(values: object, kind: type) -> bool:
    return isinstance(values, Collection) and all(isinstance(value, kind) for value in values)


def _compiled(patterns: Iterable[str | re.Pattern[str]]) -> tuple[re.Pattern[str], ...]:
    if isinstance(patterns, str | re.Pattern) or not isinstance(patterns, Iterable):
        raise ConfigurationError(f"redaction patterns must be several, got {patterns!r}: write patterns=[...]")
    return tuple(map(_pattern, patterns))


def _pattern(pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
        matches_nothing = compiled.search("") is not None
    except (TypeError, re.error) as error:
        raise ConfigurationError(
            f"a redaction pattern must be a regular expression for text, got {pattern!r} ({error}): "
            r'write for example r"\b\d{16}\b"'
        ) from None
    if matches_nothing:
        raise ConfigurationError(
            f"a redaction pattern must not match the empty text, got {pattern!r}: write + instead of *"
        )
    return compiled
