import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "simulators.md"


def test_the_examples_of_the_page_run():
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        exec(example, {})
