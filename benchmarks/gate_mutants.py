"""Mutants of the gate: each is one small change of its code that a test must notice.

Comparisons, arithmetic, constants, `min` and `max`, `and` and `or`, and conditions are changed one
at a time in the pure modules of `bci_server/safety`; the tests beside them run on each mutant, in a
process forked for it. A mutant that no test notices survives, and is printed. Those in `SAME` are
equal to the original in all that can be observed, and say why.

    python benchmarks/gate_mutants.py
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MODULES = ("gate", "motion", "states", "second")
SAME = {
    "_positions, `if b.bend < math.inf:`: b.bend < math.inf  →  b.bend <= math.inf": (
        "the root of infinity limits no speed; nor does it at its goal, for `min` keeps the first "
        "of two where the other is no number"
    ),
    "_positions, `if b.bend < math.inf and elapsed_s > 0.0:`: b.bend < math.inf  →  "
    "b.bend <= math.inf": "a change of speed within infinity is the speed that is wanted",
    "settle, `return _velocities(motion, rest, elapsed_s, 0.0)`: 0.0  →  1.0": (
        "a velocity rests at 0, and no edge forbids that, however long it stands"
    ),
}
"""By the text of a mutant, why it is the same."""

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}


def mutants(tree: ast.Module) -> Iterator[tuple[ast.Module, str]]:
    """Yield each mutant, and what was changed in which function and statement."""
    silent, where = _silent(tree), _where(tree)
    for i, node in enumerate(ast.walk(tree)):
        for n_change in range(0 if id(node) in silent else _n_changes(node)):
            whole = copy.deepcopy(tree)
            target = list(ast.walk(whole))[i]
            before = ast.unparse(getattr(target, "test", target))
            after = _change(target, n_change)
            yield ast.fix_missing_locations(whole), f"{where[i]} {before}  →  {after}"


def _where(tree: ast.Module) -> list[str]:
    """Return for each node, in the order of `ast.walk`, in what it stands."""
    places: dict[int, tuple[str, str]] = {id(tree): ("", "")}
    for node in ast.walk(tree):
        function, statement = places[id(node)]
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}" if function else node.name
        elif isinstance(node, ast.stmt):
            statement = ast.unparse(node).partition("\n")[0]
        for child in ast.iter_child_nodes(node):
            places[id(child)] = (function, statement)
    return [f"{places[id(n)][0]}, `{places[id(n)][1]}`:" for n in ast.walk(tree)]


def _silent(tree: ast.AST) -> set[int]:
    """Return the nodes that are docstrings, types, decorators or imports: nothing that runs."""
    found: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_docstring or isinstance(node, ast.ImportFrom | ast.Import):
            parts.append(node)
        elif isinstance(node, ast.AnnAssign | ast.arg):
            parts.append(node.annotation)
        elif isinstance(node, ast.FunctionDef):
            parts += [node.returns, *node.decorator_list]
        elif isinstance(node, ast.ClassDef):
            parts += node.decorator_list
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            parts.append(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
            parts += node.keywords
        for part in parts:
            if part is not None:
                found |= {id(n) for n in ast.walk(part)}
    return found


def _n_changes(node: ast.AST) -> int:
    match node:
        case ast.Compare():
            return len(_COMPARED[type(node.ops[0])])
        case ast.BinOp():
            return type(node.op) in _RECKONED
        case ast.BoolOp() | ast.If() | ast.IfExp():
            return 1
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return 1
        case ast.Constant(value=bool() | int() | float() | str()):
            return 1
        case ast.Call(func=ast.Name(id="min" | "max" | "any" | "all" | "abs")):
            return 1
    return 0


def _change(node: ast.AST, n: int) -> str:
    """Change a node in place; return how it reads then."""
    match node:
        case ast.Compare():
            node.ops[0] = _COMPARED[type(node.ops[0])][n]()
        case ast.BinOp():
            node.op = _RECKONED[type(node.op)]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return f"not {ast.unparse(node.test.operand)}"
        case ast.UnaryOp():
            node.op = ast.UAdd() if isinstance(node.op, ast.USub) else ast.Not()
            if isinstance(node.op, ast.Not):
                node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Constant():
            node.value = _other(node.value)
        case ast.Call(func=ast.Name() as name):
            others = {"min": "max", "max": "min", "any": "all", "all": "any", "abs": "float"}
            name.id = others[name.id]
    return ast.unparse(node)


def _other(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case _:
            return f"{value}?" if value else "?"


def survives(name: str, source: ast.Module, tests: list[str]) -> bool:
    """Run the tests on a mutant, in a process of its own; True if none fails."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
                code = _run(name, source, tests)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


def _run(name: str, source: ast.Module, tests: list[str]) -> int:
    import pytest

    module = types.ModuleType(name)
    module.__file__ = f"<mutant of {name}>"
    sys.modules[name] = module
    try:
        exec(compile(source, module.__file__, "exec"), module.__dict__)
        setattr(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2], module)
        for other in [m for m in sys.modules if m.startswith("bci_server.safety.") and m != name]:
            del sys.modules[other]
    except Exception:  # a mutant that cannot even be loaded is noticed
        return 1
    words = ["-x", "-q", "-p", "pytest_timeout", "--timeout=30", "-p", "no:cacheprovider"]
    return int(pytest.main([*words, *tests]))


def _load() -> None:
    """Load once, for every child, what tests need and no mutant changes."""
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401
    import scipy.linalg  # noqa: F401
    import threadpoolctl  # noqa: F401

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"


def main() -> None:
    """Try every mutant; the exit code says whether one survived that is not explained."""
    ask = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ask.add_argument("modules", nargs="*", default=MODULES)
    asked = ask.parse_args()
    _load()
    os.chdir(ROOT)
    n_all = n_same = 0
    survivors = []
    for short in asked.modules:
        file = ROOT / "bci_server" / "safety" / f"{short}.py"
        tests = [f"tests/bci_server/safety/test_{short}.py"]
        if short == "motion":
            tests.append("tests/bci_server/safety/test_gate.py")
        original = ast.parse(file.read_text())
        if not survives(f"bci_server.safety.{short}", original, tests):
            sys.exit(f"the tests fail on the unchanged {short}.py: they would notice anything")
        for mutant, what in mutants(original):
            n_all += 1
            if not survives(f"bci_server.safety.{short}", mutant, tests):
                continue
            if what in SAME:
                n_same += 1
                continue
            survivors.append(f"{short}: {what}")
            print(survivors[-1], flush=True)
    print(f"{n_all} mutants: {n_all - n_same - len(survivors)} noticed, {n_same} the same,"
          f" {len(survivors)} survived")  # fmt: skip
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
