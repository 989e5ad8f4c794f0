"""The sampling that the makers of a model recommend, from the files that hold it."""

from types import SimpleNamespace

import pytest

from dyntemp.models.llama_cpp import LlamaCppModel
from dyntemp.models.recommended import recommended
from dyntemp.testing import FakeModel


@pytest.mark.torch
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95},
         {"temperature": 0.6, "top_k": 20, "top_p": 0.95}),
        ({"do_sample": True, "min_p": 0.1}, {"min_p": 0.1}),
        ({"temperature": 0.6}, {}),
        ({}, {}),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_transformers_reads_what_the_makers_wrote_and_not_its_own_defaults(config, expected):
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tests.models.tiny import byte_level, llama

    from dyntemp.models.transformers import TransformersModel

    module = llama()
    module.generation_config = transformers.GenerationConfig(**config)

    assert expected == recommended(TransformersModel(module, byte_level(), "tiny"))


def test_a_gguf_file_has_them_in_its_header():
    header = {"general.sampling.temp": "0.700000", "general.sampling.top_p": "0.800000", "general.name": "x"}
    model = SimpleNamespace(name="file", weights=SimpleNamespace(metadata=header.get))

    assert {"temperature": 0.7, "top_p": 0.8} == LlamaCppModel.recommended.func(model)


@pytest.mark.parametrize(("name", "known"), [("smollm2", True), ("transformers:smollm2", True), ("other", False)])
def test_the_bundled_models_card_is_known_wherever_it_runs(name, known):
    model = FakeModel([b"a", b""], lambda tokens: [0.0, 0.0], name=name)

    assert ({"temperature": 0.2, "top_p": 0.9} if known else {}) == recommended(model)
