"""How Django's rules are spelled."""

import pytest

from observabilipy_django.route import template


@pytest.mark.parametrize(
    ("rule", "spelled"),
    [
        ("", "/"),
        ("items/<int:number>/", "/items/{number}/"),
        ("items/<number>", "/items/{number}"),
        (r"^re/(?P<x>\d+)$", "/re/{x}"),
        (r"re/(?P<x>\d+)/\Z", "/re/{x}/"),
        (r"^api/^orders/(?P<order>[^/.)]+)/$", "/api/orders/{order}/"),
        (r"api/<str:shop>/^orders\.(?P<format>[a-z0-9]+)/?$", "/api/{shop}/orders.{format}/"),
        (r"^a/(\w+)/((x|y)\w+)/$", "/a/{var}/{var}/"),
        (r"^a/(?:v1|v2)/b/(?:page-(?P<n>\d{1,3})/)?$", "/a/{var}/b/page-{n}/"),
        (r"^(?i)a(?=b)(?!c)b/$", "/ab/"),
        (r"^a/[^/]+/\d{4}/.*$", "/a/{var}/{var}/{var}"),
        (r"^sitemap.xml$", "/sitemap.xml"),
        (r"^(?P<path>(?:[^()]|\(\))*)$", "/{path}"),
        (r"^a/[]x]+/(b", "/a/{var}/{var}"),
    ],
)
def test_rules_are_spelled_as_templates(rule: str, spelled: str) -> None:
    assert template(rule) == spelled
