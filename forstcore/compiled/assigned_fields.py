"""Fields of a typed record that a function assigns, as variables.

The record itself is text, so `order.total = 0` cannot change it. Instead, the field becomes a
variable that initially has the record's value; where the record is a result, it is written with
the values of these variables. So the function must otherwise use its record only field by field,
because other code would see the unchanged record.
"""

from __future__ import annotations

import ast
import copy
import inspect

from forstcore.compiled.record_types import RecordTypes
from forstcore.compiled.remarks import Unsupported

__all__ = ["assigned_fields", "with_variables"]

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def assigned_fields(node: ast.AST, types: RecordTypes | None) -> dict[str, str]:
    """Return the fields of the record that a function assigns, with names of variables for them.

    Args:
        node: the function.
        types: the types of its record.

    Raises:
        Unsupported: it does more with the record than reading and assigning its fields.
    """
    kind = None if types is None else types.has_attributes.get(())
    if types is None or kind is None or not isinstance(node, ast.FunctionDef) or not node.args.args:
        return {}
    record = node.args.args[0].arg
    stores = [
        each
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.ctx, ast.Store)
        and isinstance(each.value, ast.Name)
        and each.value.id == record
    ]
    if not stores:
        return {}
    for each in stores:
        if each.attr not in types.members[()] or not _is_assignable(kind, each.attr):
            raise Unsupported(each, f"an assignment to {ast.unparse(each)}")
    for statement in node.body:
        _check(statement, record, types, is_result=False)
    # Not a valid identifier, so it cannot clash.
    return {each.attr: f"{record}.{each.attr}" for each in stores}


def with_variables(node: ast.FunctionDef, names: dict[str, str]) -> ast.FunctionDef:
    """Return a function with variables in place of fields of its record."""
    record = node.args.args[0].arg
    changed = copy.copy(node)
    first = node.body[0]
    changed.body = []
    for field, name in names.items():
        value = ast.Attribute(ast.Name(record, ast.Load()), field, ast.Load())
        start = ast.Assign([ast.Name(name, ast.Store())], value)
        changed.body.append(ast.fix_missing_locations(ast.copy_location(start, first)))
    variables = _Variables(record, names)
    changed.body += [variables.visit(copy.deepcopy(each)) for each in node.body]
    return changed


class _Variables(ast.NodeTransformer):
    def __init__(self, record: str, names: dict[str, str]) -> None:
        self._record = record
        self._names = names

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        match node:
            case ast.Attribute(ast.Name(id=owner), field, context) if owner == self._record:
                if field in self._names:
                    return ast.copy_location(ast.Name(self._names[field], context), node)
        return self.generic_visit(node)


def _is_assignable(kind: type, field: str) -> bool:
    """Whether assigning a field of an instance has no other effect."""
    if isinstance(inspect.getattr_static(kind, field, None), property):
        return False
    config = getattr(kind, "__struct_config__", None)
    if config is None:
        return _way_to_assign(kind) is _way_to_assign(object)
    import msgspec

    return not config.frozen and _way_to_assign(kind) is _way_to_assign(msgspec.Struct)


def _way_to_assign(kind: type) -> object:
    return inspect.getattr_static(kind, "__setattr__")


def _check(node: ast.AST, record: str, types: RecordTypes, *, is_result: bool) -> None:
    """Raise Unsupported where a function does not use its record field by field.

    Args:
        node: a statement, or a part of one.
        record: name of the record.
        types: the types of the record.
        is_result: whether the record is written before anything else happens.
    """
    match node:
        case ast.Name(id=name) if name == record and not is_result:
            raise Unsupported(node, f"{record!r} as a whole, of which fields are assigned")
        case ast.Attribute(value=ast.Name(id=name), attr=field, ctx=context) if name == record:
            if field not in types.members[()] or isinstance(context, ast.Del):
                what = f"{ast.unparse(node)} of a record of which fields are assigned"
                raise Unsupported(node, what)
            return
    if isinstance(node, _SCOPES) and _names(node, record):
        raise Unsupported(node, f"a function with {record!r}, of which fields are assigned")
    test = node.test if isinstance(node, ast.IfExp) else None
    is_display = isinstance(node, ast.Dict | ast.List | ast.IfExp)
    for each in ast.iter_child_nodes(node):
        is_part = is_result and is_display and each is not test
        is_written = is_part or isinstance(node, ast.Return | ast.Yield)
        _check(each, record, types, is_result=is_written)


def _names(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.Name) and each.id == name for each in ast.walk(node))
