"""Text that can always be stored and sent: valid UTF-8."""

__all__ = ["storable"]


def storable(text: str) -> str:
    r"""The same text, with lone surrogates spelled as ``\udc80``: they have no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
