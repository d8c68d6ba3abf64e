"""Put what the benchmarks print into docs/performance.md, between the marks that name them.

A mark is a line ``<!-- 3.11 benchmarks.capture -->``; what follows it, down to ``<!-- end -->``, is what that program
printed under that Python. Only the marks of the running Python are looked at.

Run it: uv run --group peers python -m benchmarks.tables [program ...]
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
MARKED = re.compile(r"(?P<mark><!-- (?P<python>[\d.]+) (?P<program>[\w.]+) -->\n).*?(?=<!-- end -->)", re.DOTALL)


def printed(program: str) -> str:
    """What a program prints, as it is if it is Markdown."""
    done = subprocess.run([sys.executable, "-m", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    head, table, rest = done.stdout.strip().partition("\n| ")
    return f"```text\n{head.strip()}\n```\n" + (f"\n| {rest}\n" if table else "")


def main() -> None:
    """Run the programs and change the page after each of them."""
    wanted = sys.argv[1:]
    python = ".".join(map(str, sys.version_info[:2]))

    for found in MARKED.finditer(PAGE.read_text(encoding="utf-8")):
        program = found["program"]
        if found["python"] == python and (not wanted or program.removeprefix("benchmarks.") in wanted):
            print(program, flush=True)
            new = printed(program)
            page = PAGE.read_text(encoding="utf-8")  # anew: somebody may have written meanwhile
            start, _, rest = page.partition(found["mark"])
            _, end, rest = rest.partition("<!-- end -->")
            PAGE.write_text(start + found["mark"] + new + end + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
