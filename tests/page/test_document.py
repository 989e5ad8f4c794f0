"""The page as one text: whole, closed, and safe whatever its traces say."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.page.made import example, trace_text

from dyntemp import Policy
from dyntemp.methods import METHODS
from dyntemp.page import document
from dyntemp.page.bundle import SCRIPTS, bundle
from dyntemp.page.document import as_data, bundled

CODEMIRROR = Path(__file__).parents[2] / "tools" / "codemirror"
HOSTILE = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> {{script}} \u2028"


class Scripts(HTMLParser):
    """The scripts of a page as a browser sees them, and every attribute that could load something."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.loads, self.csp, self._open = [], [], None, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.loads += [
            (tag, name, value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")
        ]
        if tag == "script":
            self._open = attributes.get("type")
            self.scripts.append([self._open, ""])
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.csp = attributes["content"]

    def handle_endtag(self, tag):
        self._open = None if tag == "script" else self._open

    def handle_data(self, data):
        if self._open:
            self.scripts[-1][1] += data


def test_a_page_has_its_data_one_script_and_nothing_from_elsewhere():
    page = Scripts(document())

    assert ["application/json", "module"] == [kind for kind, _ in page.scripts]
    assert all(value.startswith(("data:", "#")) for _, _, value in page.loads), page.loads
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"https?://[^\s'\"<>\\)]+", document(examples=[])))
    assert "{{" not in document(examples=[])
    assert "connect-src 'none'" in page.csp
    assert "connect-src 'self'" in Scripts(document(server=True)).csp


def test_the_policy_of_the_page_names_its_script_by_its_digest():
    page = Scripts(document(examples=[]))
    digest = base64.b64encode(hashlib.sha256(page.scripts[1][1].encode()).digest()).decode()

    assert page.csp.startswith(f"default-src 'none'; script-src 'sha256-{digest}'; ")


def test_data_cannot_leave_its_element():
    made = {"title": HOSTILE, "teaches": HOSTILE, "lines": HOSTILE}
    page = Scripts(document(examples=[made], traces=[{"name": HOSTILE, "lines": HOSTILE}],
                            learnings=[{"name": HOSTILE, "text": HOSTILE}]))  # fmt: skip
    data = json.loads(page.scripts[0][1])

    assert 2 == len(page.scripts)
    assert [made] == data["examples"]
    assert HOSTILE == data["traces"][0]["name"] == data["learnings"][0]["text"]
    assert page.scripts[1] == Scripts(document(examples=[])).scripts[1]
    assert "<" not in as_data(HOSTILE)


def test_the_data_are_the_language_and_methods_that_read():
    data = json.loads(Scripts(document(examples=[], server=True)).scripts[0][1])

    assert data["server"] is True
    assert {"entropy", "max_prob"} <= {signal["name"] for signal in data["table"]["signals"]}
    assert [method["name"] for method in data["methods"]] == [m.name for m in METHODS.values() if not m.needs]
    for method in data["methods"]:
        assert Policy(method["policy"]) == METHODS[method["name"]].make()


def test_bundled_examples_are_whole_traces():
    for one in bundled():
        header, *tokens = one["lines"].splitlines()
        assert one["title"]
        assert one["teaches"].endswith(".")
        assert "dyntemp.trace" == json.loads(header)["format"]
        assert tokens


def test_every_module_that_is_there_is_used():
    script = bundle()

    for path in SCRIPTS.rglob("*.js"):
        assert f'modules["{path.relative_to(SCRIPTS).as_posix()}"] = ' in script, f"{path.name} is imported by nothing"
        assert "\nexport " not in script
        assert "innerHTML" not in path.read_text(encoding="utf-8")
    assert not re.search(r"^import ", script, re.MULTILINE)


def test_the_editor_is_small_and_names_its_licence_and_the_versions_it_was_built_from():
    text = (SCRIPTS / "vendor" / "codemirror.js").read_text(encoding="utf-8")
    banner = text[: text.index("*/")]
    pinned = json.loads((CODEMIRROR / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    del pinned["esbuild"]

    assert len(text.encode()) < 300_000
    assert "MIT License" in banner
    assert "Copyright (C) 2018-2021 by Marijn Haverbeke" in banner
    assert pinned == dict(re.findall(r"^ \* (\S+) (\d+\.\d+\.\d+)$", banner, re.MULTILINE))


def write(folder, **modules):
    """Write `name.js` for each text; `in_name` is `in/name.js`."""
    for name, text in modules.items():
        path = folder / f"{name.replace('_', '/')}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_modules_keep_their_names_to_themselves(tmp_path, page):
    write(
        tmp_path,
        main='import { one as first } from "./a.js";\nimport {\n  two,\n} from "./in/b.js";\n'
        "window.found = [first(), two];\n",
        a="const own = 1;\nexport function one() {\n  return own;\n}\n",
        in_b='import { one } from "../a.js";\nconst own = 2;\nexport const two = own + one();\n',
    )
    script = bundle(tmp_path)

    assert 1 == script.count('modules["a.js"] =')
    assert [1, 3] == page.evaluate(f"() => {{ {script}\nreturn window.found; }}")


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ({"main": 'import { lost } from "./a.js";\n', "a": "export const found = 1;\n"}, "imports `lost` from a.js"),
        ({"main": 'import { a } from "./a.js";\n', "a": 'import { b } from "./main.js";\nexport const a = 1;\n'},
         "main.js -> a.js -> main.js"),
        ({"main": 'import { a } from "./in/a.js";\n', "in_a": 'import { b } from "./b.js";\n'},
         "in/a.js imports ./b.js, but there is no in/b.js"),
    ],
)  # fmt: skip
def test_imports_that_lead_nowhere_are_refused(tmp_path, modules, message):
    write(tmp_path, **modules)

    with pytest.raises(ValueError, match=re.escape(message)):
        bundle(tmp_path)


def test_a_page_says_the_same_twice(tmp_path):
    made = [example(trace_text(tmp_path, count=5))]

    assert document(examples=made) == document(examples=made)
