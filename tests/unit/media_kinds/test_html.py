"""What is found in pages: encoding, title, and the hosts from which they would load."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runhue import Html
from runhue_server.media.kinds.markup import tags
from tests.unit.media_kinds.looking import look, refused
from tests.unit.media_kinds.samples import PAGE


def external(page: str) -> list[str]:
    found: list[str] = look("html", "html", page.encode()).facts["external"]
    return found


def test_a_page_is_described() -> None:
    """Encoding, title and the hosts of what loads by itself; links that are clicked do not count."""
    assert look("html", "html", PAGE).facts == {
        "encoding": "utf-8",
        "title": "A & B",
        "external": [
            "cdn.example.com",
            "fonts.example.org",
            "js.example.com:8080",
            "pics.example.com",
            "set.example.com",
        ],
    }


def test_what_the_sdk_logs_loads_nothing() -> None:
    """The styles that runhue.Html puts in come from nowhere else."""
    assert external(Html("<p>hello").html) == []


@pytest.mark.parametrize(
    ("page", "hosts"),
    [
        ("<IMG SRC=HTTPS://A.example/x>", ["a.example"]),
        ("<img src='\\\\a.example\\x'>", ["a.example"]),
        ("<img src=' ht\ntps://user:pw@a.example?x'>", ["a.example"]),
        ("<img src=/x><base href='https://b.example/y/'>", ["b.example"]),
        ("<base href='https://b.example/'><a href=x>", []),
        ("<iframe srcdoc='&lt;script src=&quot;//c.example/x&quot;>'>", ["c.example"]),
        ("<meta http-equiv=refresh content='0; url=http://d.example'>", ["d.example"]),
        ("<p style='background:url(&quot;//e.example/x&quot;)'>", ["e.example"]),
        ("<style>a{b:\\75rl(//f.example)}</style>", ["f.example"]),
        ("<svg><image href='//g.example/1'/><use xlink:href='//h.example#x'/>", ["g.example", "h.example"]),
        ("<video poster=//i.example><source src=//j.example><object data=//k.example>", list("ijk")),
        ("<!-- <img src=//no.example> --><img src=//l.example>", ["l.example"]),
        ("<script>'<img src=//no.example>'</script><img src=//l.example>", ["l.example"]),
        ("<img src=//l.example", []),
        ("<a href='<img src=//no.example>'>", []),
        ("<img alt='//no.example' src=data:,//no.example>", []),
    ],
)
def test_hosts_are_read_as_browsers_read_them(page: str, hosts: list[str]) -> None:
    """Cases, slashes, spaces, base addresses, pages within pages, styles and comments."""
    assert external(page) == [host if "." in host else f"{host}.example" for host in hosts]


@pytest.mark.parametrize(
    ("content", "encoding", "title"),
    [
        ("<title>für</title>".encode(), "utf-8", "für"),
        ("<title>für</title>".encode("latin-1"), "windows-1252", "für"),
        ("<title>für</title>".encode("utf-16"), "utf-16-le", "für"),
        ("<meta charset=koi8-r><title>да</title>".encode("koi8-r"), "koi8-r", "да"),
        (b"<meta charset=zip_codec><title>x</title>", "utf-8", "x"),
        (b"<meta http-equiv=content-type content='text/html; charset=latin1'>\xfc", "windows-1252", None),
        (b"<title>\n a \n b </title><title>c</title>", "utf-8", "a b"),
        (b"no tags at all", "utf-8", None),
    ],
)
def test_the_encoding_is_the_browsers(content: bytes, encoding: str, title: str | None) -> None:
    """Marks, then the page's word when browsers know it, then whether it is UTF-8."""
    found = look("html", "html", content).facts

    assert (found["encoding"], found["title"]) == (encoding, title)


def test_binary_files_are_no_pages() -> None:
    """A file with control characters is refused with what it is."""
    assert refused("html", "html", b"\x89PNG\r\n\x1a\n\0").reason == "A page was expected, found a PNG image."


@given(st.text(alphabet="<>/!-='\" asrcscript\n", max_size=200))
def test_any_text_has_tags(page: str) -> None:
    """No text stops the reading of tags, and each that is told stands in the page."""
    for tag in tags(page):
        assert f"<{tag.name}" in page.lower()


@pytest.mark.parametrize("piece", ["<a x='", '<a x="', "<!--", "<script>", "<a x='<b y=\"", "<a ", "</"])
def test_what_is_never_closed_takes_no_time(piece: str) -> None:
    """Megabytes of beginnings are read in a moment: nothing is looked for twice."""
    begun = time.process_time()

    list(tags(piece * (1_000_000 // len(piece))))

    assert time.process_time() - begun < 10
