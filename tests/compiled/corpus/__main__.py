"""Print which functions of the corpus compile, and how many usual records they give back."""

from __future__ import annotations

from collections import Counter

from forstcore.compiled import Compiled
from tests.compiled.corpus import CASES, THEMES
from tests.compiled.corpus.records import usual_lines
from tests.compiled.oracle import Interpreted, compile_any, run_program

_COUNT = 500


def main() -> None:
    """Print a line for each function with a remark, and a table of the themes."""
    compiled: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for case in CASES:
        result = compile_any(case.function)
        if not isinstance(result, Compiled):
            print(f"{case.name}: {result}")
            continue
        compiled[case.theme] += 1
        interpreted = Interpreted(case.function)
        data = usual_lines(case, _COUNT)
        run = run_program(result.program, interpreted, data)
        if run.output != b"".join(interpreted.lines(data)):
            print(f"{case.name}: OTHER BYTES")
        if run.given_back:
            places = ", ".join(f"line {line}" for line in sorted(run.places))
            print(f"{case.name}: {100 * run.given_back / run.lines:.0f} % given back in {places}")
        else:
            whole[case.theme] += 1
    print(f"{'theme':12}{'functions':>10}{'compiled':>10}{'none given back':>17}")
    for theme in THEMES:
        count = sum(case.theme == theme for case in CASES)
        print(f"{theme:12}{count:10}{compiled[theme]:10}{whole[theme]:17}")
    print(f"{'all':12}{len(CASES):10}{compiled.total():10}{whole.total():17}")


if __name__ == "__main__":
    main()
