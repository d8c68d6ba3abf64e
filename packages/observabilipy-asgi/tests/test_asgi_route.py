"""Which template the scope names, in the forms in which frameworks leave it there."""

from types import SimpleNamespace

import pytest

from observabilipy_asgi.route import matched_template, relative_path


def route(path: str, path_format: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(path=path, path_format=path_format or path)


def endpoint() -> None: ...


class Endpoint:
    pass


ITEM = route("/items/{id:int}", "/items/{id}")
MOUNT = route("/shop", "/shop/{path}")
INCLUDED = SimpleNamespace(original_route=ITEM, starlette_route=None, path_format="/api/items/{id}")
INCLUDED_PLAIN = SimpleNamespace(original_route=ITEM, starlette_route=route("/api/items/{id}"), path_format="")


@pytest.mark.parametrize(
    ("scope", "template"),
    [
        ({"route": ITEM}, "/items/{id}"),
        ({"route": route("/items/{id}")}, "/items/{id}"),
        ({"route": ITEM, "fastapi": {"effective_route_context": INCLUDED}}, "/api/items/{id}"),
        ({"fastapi": {"effective_route_context": INCLUDED_PLAIN}}, "/api/items/{id}"),
        ({"route": Endpoint(), "fastapi": {"effective_route_context": INCLUDED_PLAIN}}, "/api/items/{id}"),
        ({"route": route("/other"), "fastapi": {"effective_route_context": INCLUDED}}, "/other"),
        ({"path_template": "/pre/items/{id}"}, "/pre/items/{id}"),
        ({"observabilipy.route": "/own/{id}", "route": ITEM}, "/own/{id}"),
        ({}, None),
        ({"route": SimpleNamespace(host="a.example")}, None),
        ({"path": "/docs", "endpoint": endpoint, "path_params": {}}, "/docs"),
        ({"path": "/docs", "endpoint": endpoint, "path_params": {"name": "docs"}}, None),
        ({"path": "/anything", "endpoint": Endpoint(), "path_params": {}}, None),
        ({"path": "/proxy/docs", "root_path": "/proxy", "endpoint": endpoint}, "/docs"),
    ],
)
def test_the_template_is_what_the_framework_left_in_the_scope(scope: dict[str, object], template: str | None) -> None:
    assert matched_template(scope) == template


@pytest.mark.parametrize(
    ("root_path", "app_root_path", "inner", "params", "template"),
    [
        ("/shop", "", ITEM, {"id": 7}, "/shop/items/{id}"),
        ("/proxy/shop", "/proxy", ITEM, {"id": 7}, "/shop/items/{id}"),
        ("/shop", "", MOUNT, {}, "/shop/{path}"),
        ("/shop", "", None, {}, "/shop/{path}"),
        ("/a/b", "", MOUNT, {}, "/a/b/{path}"),
        ("/of/acme", "", ITEM, {"tenant": "acme", "id": 7}, "/of/{tenant}/items/{id}"),
        ("/of/acme", "", ITEM, {"tenant": "acme", "id": "acme"}, "/of/{tenant}/items/{id}"),
        ("/of/a/b", "", ITEM, {"tenant": "a/b", "id": 7}, "/of/{tenant}/items/{id}"),
        ("/of/007", "", ITEM, {"number": 7, "id": 7}, "/{number}/items/{id}"),
        ("/elsewhere", "/proxy", ITEM, {"id": 7}, "/items/{id}"),
    ],
)
def test_a_mount_gives_its_prefix_and_never_a_value(
    root_path: str, app_root_path: str, inner: object, params: dict[str, object], template: str
) -> None:
    scope = {"root_path": root_path, "app_root_path": app_root_path, "path_params": params}

    assert matched_template(scope if inner is None else {**scope, "route": inner}) == template


@pytest.mark.parametrize(
    ("path", "root_path", "relative"),
    [
        ("/metrics", "", "/metrics"),
        ("/obs/metrics", "/obs", "/metrics"),
        ("/obs/metrics", "/obs/", "/metrics"),
        ("/metrics", "/obs", "/metrics"),
        ("/observed", "/obs", "/observed"),
        ("/obs", "/obs", "/"),
    ],
)
def test_the_path_is_taken_relative_to_the_mount(path: str, root_path: str, relative: str) -> None:
    assert relative_path({"path": path, "root_path": root_path}) == relative
