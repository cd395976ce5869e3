"""Random functions within a function, and calls of those that call themselves."""

from __future__ import annotations

from random import Random

from tests.compiled.generated.expressions import Expressions
from tests.compiled.generated.scope import Scope

__all__ = ["LocalFunctions"]


class LocalFunctions:
    """Makes statements that define functions, and call them.

    Args:
        chance: decides.
    """

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.scope = Scope(chance)
        self.make = Expressions(self.scope)

    def expression(self, kind: str) -> str:
        return self.make.of(kind, self.chance.choice((0, 1, 1, 1, 2, 2, 3)))

    def local_function(self) -> list[str]:
        """Return a function, and a call of it."""
        name, one, result = self.scope.fresh(), self.scope.fresh(), self.scope.fresh()
        kind = self.chance.choice(("str", "int"))
        before = list(self.scope.variables)
        # The variables that it refers to must have a value when it is called.
        self.scope.variables = [(one, kind)]
        value = self.expression(kind)
        condition = self.expression("bool")
        other = self.make.of(kind, 0)
        self.scope.variables = before
        head = [f"def {name}({one}):", f"    if {condition}:", f"        return {other}"]
        lines = [*head, f"    return {value}"]
        call = f"{result} = {name}({self.expression(kind)})"
        self.scope.add(result, kind)
        return [*lines, call]

    def call_in_itself(self) -> list[str]:
        """Return a call of a function that calls itself."""
        value, result = self.expression("any"), self.scope.fresh()
        call, kind = self.chance.choice(
            (
                (f"clean({value})", "any"),
                (f"flat({value})", "dict"),
                (f"flat({{'a': {value}, 'b': {{'c': {value}}}}})", "dict"),
                (f"[each for each in leaves({value}) if each]", "any"),
                (f"total({value})", "int"),
            )
        )
        self.scope.add(result, kind)
        return [f"{result} = {call}"]

    def pick(self) -> list[str]:
        """Return a call of a function that stands in a table, or takes any number of arguments."""
        one, two, result = self.scope.fresh(), self.scope.fresh(), self.scope.fresh()
        value, text = self.expression("any"), self.expression("str")
        lines, kind = self.chance.choice(
            (
                ([f"{result} = HANDLERS[{text}]({value})"], "any"),
                ([f"{result} = HANDLERS.get({text}, total)({value})"], "any"),
                (
                    [
                        f"{one} = HANDLERS.get({text})",
                        f"{result} = {one}({value}) if {one} is not None else {text}",
                    ],
                    "any",
                ),
                (
                    [f"{result} = [{one} for {one}, {two} in CHECKS.items() if {two}({value})]"],
                    "any",
                ),
                (
                    [
                        f"{result} = 0",
                        f"for {one}, {two}, {result}_by in PAIRS:",
                        f"    if {two}({value}):",
                        f"        {result} += {result}_by",
                    ],
                    "int",
                ),
                ([f"for {one} in STEPS:", f"    r = {one}(r)", f"{result} = len(r)"], "int"),
                ([f"{result} = tagged({value}, {text}, sep={text}, by={value})"], "dict"),
                ([f"{result} = tagged({value}, n={self.expression('int')})"], "dict"),
                ([f"{result} = nearly({self.expression('num')})"], "any"),
            )
        )
        self.scope.add(result, kind)
        return lines

    def walk(self) -> list[str]:
        """Return a local function that calls itself and counts, and a call of it."""
        count, name, one = self.scope.fresh(), self.scope.fresh(), self.scope.fresh()
        self.scope.add(count, "int")
        return [
            f"{count} = 0",
            f"def {name}({one}):",
            f"    nonlocal {count}",
            f"    {count} += 1",
            f"    if isinstance({one}, (list, dict)):",
            f"        for inner in {one}:",
            f"            {name}(inner if isinstance({one}, list) else {one}[inner])",
            f"{name}({self.expression('any')})",
        ]

    def named_lambda(self) -> list[str]:
        """Return a lambda with a name, and a call of it."""
        name, one, by, result = (self.scope.fresh() for _ in range(4))
        default = self.expression("int")
        before = list(self.scope.variables)
        self.scope.variables = [(one, "int"), (by, "int")]
        value = self.expression("int")
        self.scope.variables = before
        call = f"{result} = {name}({self.expression('int')})"
        self.scope.add(result, "int")
        return [f"{name} = lambda {one}, {by}={default}: {value}", call]
