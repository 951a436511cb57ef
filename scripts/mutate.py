"""Mutates every expression of the pure rules and runs their quick tests on each mutant.

Our own, since the mutant is made in a forked child by an import hook: neither tree nor copy is written, the libraries
are imported once, and a survivor is named by function and text, so that `mutants/equal.toml` outlives moved lines.
Text for people (strings with a space) and tables of names are not mutated."""

import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import multiprocessing
import os
import signal
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent
EQUAL = ROOT / "mutants" / "equal.toml"
_LONGEST = 120  # seconds: a mutant that loops for ever is dead
_ENOUGH = 0.9
_WARM = (
    *("pytest", "_pytest.assertion.rewrite", "hypothesis.strategies", "time_machine", "syrupy", "xdist.plugin"),
    *("pytest_asyncio.plugin", "babel.numbers", "rapidfuzz.process", "common.app", "common.testing.plugin"),
    *("common.contracts.catalogue", "common.amazon.orders", "common.amazon.listings", "local_stack.testing"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """A pure module and the quick tests of it."""

    module: str
    file: str
    tests: tuple[str, ...]


RULES = (
    Rules(
        "compliance_service.routing",
        "services/compliance/src/compliance_service/routing.py",
        ("services/compliance/tests/test_decide.py",),
    ),
    Rules(
        "compliance_service.reserving",
        "services/compliance/src/compliance_service/reserving.py",
        ("services/compliance/tests/test_reserving_rules.py",),
    ),
    Rules(
        "compliance_service.slips.rules",
        "services/compliance/src/compliance_service/slips/rules.py",
        ("services/compliance/tests/test_slip_rules.py",),
    ),
    Rules(
        "orders_service.order_state",
        "services/orders/src/orders_service/order_state.py",
        ("services/orders/tests/test_rules.py",),
    ),
    Rules(
        "orders_service.carriers",
        "services/orders/src/orders_service/carriers.py",
        ("services/orders/tests/test_rules.py",),
    ),
    Rules(
        "listings_service.delta",
        "services/listings/src/listings_service/delta.py",
        ("services/listings/tests/test_rules.py",),
    ),
    Rules(
        "listings_service.planner",
        "services/listings/src/listings_service/planner.py",
        ("services/listings/tests/test_rules.py",),
    ),
    Rules(
        "listings_service.lifecycle",
        "services/listings/src/listings_service/lifecycle.py",
        ("services/listings/tests/test_rules.py",),
    ),
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`number` is the node's place in a walk of its module; `name` says where and what, for people and for the list."""

    number: int
    name: str
    node: ast.AST


_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}
_CALLED = {"min": "max", "max": "min", "any": "all", "all": "any"}


def mutants_of(source: str) -> list[Mutant]:
    """All of a module, in the order of its text."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for number, (node, function, mutable) in enumerate(_walk(tree, "module", True)):
        if not mutable:
            continue
        for changed in _changes(node, function):
            name = f"{function}: {ast.unparse(node)} -> {ast.unparse(changed)}"
            seen[name] = seen.get(name, 0) + 1
            if seen[name] > 1:
                name += f" #{seen[name]}"
            found.append(Mutant(number, name, changed))
    return found


def _walk(node: ast.AST, function: str, mutable: bool) -> Iterator[tuple[ast.AST, str, bool]]:
    yield node, function, mutable
    for name, value in ast.iter_fields(node):
        kept = mutable and name not in ("annotation", "returns", "decorator_list", "bases", "keywords_", "type_params")
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            inside = function
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inside = child.name if function == "module" else f"{function}.{child.name}"
            is_prose = isinstance(child, ast.JoinedStr) or (
                isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)
            )
            yield from _walk(child, inside, kept and not is_prose)


def _changes(node: ast.AST, function: str) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if other := _COMPARED.get(type(operator)):
                changed = copy.deepcopy(node)
                changed.ops[place] = other()
                yield changed
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        if function != "module":
            for place in range(len(node.values)):
                left = node.values[:place] + node.values[place + 1 :]
                yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node, ast.BinOp) and type(node.op) in _COUNTED and function != "module":
        yield ast.BinOp(node.left, _COUNTED[type(node.op)](), node.right)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _COUNTED:
        yield ast.AugAssign(node.target, _COUNTED[type(node.op)](), node.value)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        yield ast.Call(ast.Name(_CALLED[node.func.id], ast.Load()), node.args, node.keywords)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.If):
        yield ast.If(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, ast.Constant) and function != "module":
        if isinstance(node.value, bool):
            yield ast.Constant(not node.value)
        elif isinstance(node.value, int):
            yield ast.Constant(node.value + 1)
        elif isinstance(node.value, str) and " " not in node.value.strip() and node.value:
            yield ast.Constant(node.value + "XX")


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


class _Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the one module from its mutated tree."""

    def __init__(self, rules: Rules, tree: ast.Module) -> None:
        self._rules, self._tree = rules, tree

    def find_spec(
        self, name: str, path: object, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._rules.module:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin=str(ROOT / self._rules.file))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(ROOT / self._rules.file)
        exec(compile(self._tree, module.__file__, "exec"), module.__dict__)  # noqa: S102 - our own source


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return ast.copy_location(self._new, node) if node is self._old else self.generic_visit(node)


def _mutated(source: str, mutant: Mutant) -> ast.Module:
    tree = ast.parse(source)
    old = next(node for number, (node, _, _) in enumerate(_walk(tree, "module", True)) if number == mutant.number)
    changed: ast.Module = _Replace(old, mutant.node).visit(tree)
    return ast.fix_missing_locations(changed)


def _attempt(rules: Rules, mutant: Mutant | None) -> None:
    """In a child: ends with 0 when the tests pass. Without a mutant the module is the one that is written."""
    import pytest

    signal.alarm(_LONGEST)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    # The rules are pure: no server is needed, and none is started where the environment names them.
    os.environ |= {"DATABASE_URL": "postgresql://none@127.0.0.1:1/none", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    if mutant is not None:
        sys.meta_path.insert(0, _Hook(rules, _mutated((ROOT / rules.file).read_text(), mutant)))
    os.chdir(ROOT)
    os._exit(int(pytest.main(["-q", "-x", "--no-header", "-p", "no:schemathesis", *rules.tests])))


def _child(rules: Rules, mutant: Mutant | None) -> int:
    process = multiprocessing.get_context("fork").Process(target=_attempt, args=(rules, mutant))
    process.start()
    process.join()
    return process.exitcode or 0


def _warm_up() -> None:
    """What every child needs, imported once; nothing that imports the rules, whose mutant would come too late."""
    for name in _WARM:
        importlib.import_module(name)


def try_rules(only: str | None, jobs: int) -> list[str]:
    """Runs all mutants; prints what survives and the share that died; answers what is wrong."""
    from concurrent.futures import ThreadPoolExecutor

    _warm_up()
    equal = {(entry["file"], entry["mutant"]) for entry in tomllib.loads(EQUAL.read_text()).get("equal", [])}
    wrong: list[str] = []
    for rules in RULES:
        if only and only not in rules.file:
            continue
        if before := _child(rules, None):
            wrong.append(f"without a mutant the tests of {rules.module} must pass, but end with {before}")
            continue
        mutants = mutants_of((ROOT / rules.file).read_text())
        with ThreadPoolExecutor(jobs) as pool:
            codes = list(pool.map(lambda mutant: _child(rules, mutant), mutants))  # noqa: B023 - used up at once
        survivors = {mutant.name for mutant, code in zip(mutants, codes, strict=True) if code == 0}
        listed = {name for file, name in equal if file == rules.file}
        died = 1 - len(survivors) / len(mutants)
        print(f"{rules.module}: {len(mutants)} mutants, {died:.0%} died", flush=True)
        wrong += [f"survived: {rules.file}: {name}" for name in sorted(survivors - listed)]
        wrong += [f"stale: {rules.file}: {name}: it dies, or is gone" for name in sorted(listed - survivors)]
        if died < _ENOUGH:
            wrong.append(f"{rules.module}: under {_ENOUGH:.0%} died")
    return wrong
