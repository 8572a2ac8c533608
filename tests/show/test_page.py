import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from kullback import show
from kullback.show.report import inert_json
from show.builders import categorical, comparison, numeric, shop, wide
from show.hostile import INVISIBLE, NAMES, everywhere

ELEMENTS = set(
    re.findall(
        r"\w+",
        """html head meta title link style body main header section footer p h1 h2 h3 b i span sub sup br div pre code
        svg path use g text circle desc table thead tbody tr th td a details summary figure figcaption dl dt dd button
        input script time""",
    )
)
ATTRIBUTES = set(
    re.findall(
        r"[\w-]+",
        """lang charset http-equiv content name rel href class id d viewbox preserveaspectratio aria-hidden aria-label
        role aria-labelledby aria-sort data-sort data-v data-do scope type placeholder hidden open width height x y cx
        cy r text-anchor datetime""",
    )
)


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.ids = [], [], []
        self.scripts, self.texts, self.stack = [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        self.ids += [value for key, value in attrs if key == "id"]
        self.stack.append(tag)
        if tag in ("script", "style"):
            self.scripts.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.scripts and self.stack[-1] in ("script", "style"):
            self.scripts[-1][2] += data
        else:
            self.texts.append(data)

    def handle_endtag(self, tag):
        self.stack.append("/" + tag)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    @property
    def data(self):
        held = json.loads(next(body for tag, attrs, body in self.scripts if attrs.get("type") == "application/json"))
        if held.get("encoding") == "gzip+base64":
            return json.loads(gzip.decompress(base64.b64decode(held["data"])))
        return held


def safe(html):
    """No element, attribute or address that the templates did not write; one script and one style, both by hash."""
    page = Page(html)
    assert set(page.elements) <= ELEMENTS
    assert {key for _, key, _ in page.attributes} <= ATTRIBUTES
    for tag, key, value in page.attributes:
        if key == "href":
            assert value.startswith("data:image/svg+xml;base64," if tag == "link" else "#")
    assert len(page.ids) == len(set(page.ids))
    references = {value[1:] for tag, key, value in page.attributes if key == "href" and value.startswith("#")}
    assert references <= set(page.ids)
    policy = next(value for _, key, value in page.attributes if key == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    running = [(tag, body) for tag, attrs, body in page.scripts if "type" not in attrs]
    assert [tag for tag, _ in running] == ["style", "script"]
    for tag, body in running:
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    for source in (*(value or "" for _, _, value in page.attributes), *(body for _, body in running)):
        assert not re.search(r"https?:|//\w|url\(|@import|fetch\(|XMLHttp|innerHTML", source)
    assert not (INVISIBLE - {"\n"}) & set(html)
    return page


def test_a_page_is_whole_and_safe():
    when = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    html = show.page(shop(), command="kullback compare a.parquet b.parquet", when=when)
    page = safe(html)
    for said in (
        "ordered_on moved most",
        "2.90 standard deviations",
        "data/january.parquet",
        "4,000 rows",
        "kullback compare a.parquet b.parquet",
        "2026-01-02 03:04 UTC",
        "vanished: 'UK' (8\u00a0%\u00a0→\u00a00\u00a0%)",
        "What was not compared",
        "fax",
        "tiktok, coupon",
        "missing throughout on both sides",
        "How the numbers are made",
    ):
        assert said.replace("\u00a0", " ") in page.text.replace("\u00a0", " ")
    assert page.data == json.loads(shop().to_json())
    assert html == show.page(shop(), command="kullback compare a.parquet b.parquet", when=when)


def test_every_column_has_its_counts_and_they_add_up():
    result = shop()
    html = show.page(result)
    sections = html.split("<details class=col")[1:]
    assert len(sections) == len(result.columns)
    for column, section in zip(result.columns, sections, strict=True):
        counts = section.split("<details class=counts")[1]
        rows = re.findall(r"<tr><th>[^<]*<td>([\d,]+)<td>([\d,]+)<td>", counts)
        totals = [sum(int(row[i].replace(",", "")) for row in rows) for i in (0, 1)]
        assert totals == [column.rows.reference, column.rows.current]
        assert section.count("<title>") >= 1


def test_the_parts_shown_add_up_to_the_smoothed_divergence():
    result = shop()
    sections = show.page(result).split("<details class=col")[1:]
    for column, section in zip(result.columns, sections, strict=True):
        parts = re.findall(r"<td>(<?[\d.]+)<td>(?:<svg>|</table>)", section.split("<dl>")[0].replace("&lt;", "<"))
        if parts:
            total = sum(float(part) for part in parts if "<" not in part)
            assert abs(total - column.kl_smoothed) <= 0.00005 * len(parts) + 1e-4 * sum("<" in part for part in parts)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_hostile_names_are_text(name):
    result = comparison(
        categorical(name, {name: 80, "a": 40}, {"a": 30, name + "b": 90}),
        numeric(name + "2", [1, 2, 3, 4], [2, 3, 4, 5]),
        only_in_reference=(name,),
    )
    page = safe(show.page(result, command=name))
    assert page.data["only_in_reference"] == [name]
    safe_fragment(show.fragment(result))


def test_all_hostile_names_at_once():
    result = everywhere()
    page = safe(show.page(result, command=" ".join(NAMES)))
    assert "<img src=x onerror=alert(1)>" in page.text
    assert "</script><script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "red␛[0m" in page.text
    assert "gnp.⟨U+202E⟩exe" in page.text
    assert "(empty name)" in page.text
    assert len(page.data["columns"]) == len(result.columns)
    safe_fragment(show.fragment(result))


def safe_fragment(html):
    page = Page(html)
    assert set(page.elements) <= {*ELEMENTS, "style"} - {"script", "html", "body", "link", "meta"}
    assert {key for _, key, _ in page.attributes} <= ATTRIBUTES
    assert not [key for _, key, _ in page.attributes if key == "href"]
    assert not (INVISIBLE - {"\n"}) & set(html)
    return page


def test_inert_json_cannot_leave_its_element():
    held = {name: [name] for name in NAMES}
    written = inert_json(held)
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == held


@pytest.mark.parametrize("kind", ["mixed", "numeric", "texts"])
def test_a_hundred_columns_are_less_than_300_kilobytes(kind):
    if kind == "mixed":
        result = wide(100)
    else:
        columns = wide(3).columns
        one = next(c for c in columns if (c.kind == "numeric") == (kind == "numeric"))
        result = comparison(*(replace(one, name=f"measurement number {i}") for i in range(100)))
    html = show.page(result)
    assert len(html.encode()) < 300_000
    page = safe(html)
    assert len(page.data["columns"]) == 100
    assert html.count("<details class=col") == 100
    for held, column in zip(page.data["columns"], result.columns, strict=True):
        assert held["name"] == column.name
        assert held["kl"] == pytest.approx(column.kl, rel=1e-5)
        assert len(held["cells"]) + held.get("cells_left_out", 0) == len(column.cells)


def test_infinite_is_a_flag_in_the_json_and_a_sign_on_the_page():
    result = comparison(categorical("x", {"a": 5, "b": 5}, {"a": 10}))
    page = safe(show.page(result))
    assert page.data["columns"][0]["kl_raw"] is None
    assert page.data["columns"][0]["kl_raw_infinite"] is True
    assert "KL raw∞" in page.text


def test_a_page_without_columns_or_without_change_says_so():
    assert "Nothing to compare" in safe(show.page(comparison(only_in_reference=("a",)))).text
    still = comparison(categorical("x", {"a": 5, "b": 5}, {"a": 5, "b": 5}))
    assert "Nothing moved" in safe(show.page(still)).text


def test_sortable_headings_say_how_they_are_sorted():
    html = show.page(shop())
    assert html.count('data-sort="') == 6
    assert html.count(' aria-sort="ascending"') == 1
    assert html.count("<th scope=row>") == len(shop().columns)


def test_a_notebook_gets_a_table_without_script():
    page = safe_fragment(shop()._repr_html_())
    assert "country" in page.text
    assert "like a mean shift of d" in page.text
    many = wide(30)
    assert "10 more columns moved no more" in safe_fragment(show.fragment(many)).text


def test_the_templates_are_in_the_package():
    from importlib.resources import files

    for name in ("report/base.html", "report/report.css", "report/report.js", "report/fragment.css"):
        assert files("kullback.show").joinpath(name).is_file()
