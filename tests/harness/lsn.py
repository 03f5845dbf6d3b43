"""Log positions as integers."""


def parse_lsn(text: str) -> int:
    """Reads `16/B374D848`; also a plain number."""
    high, slash, low = str(text).strip().partition("/")
    return (int(high, 16) << 32) + int(low, 16) if slash else int(high)


def format_lsn(value: int) -> str:
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"
