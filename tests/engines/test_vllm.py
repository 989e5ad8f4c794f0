"""The adapter to vLLM, driven as its two runners do; what needs vLLM itself is in `test_vllm_host.py`."""

import gc
import json
import logging
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from tests.learned import NETWORK

from dyntemp import temperatures
from dyntemp.engines import CAPABILITIES, EngineError
from dyntemp.engines.batch import Counts
from dyntemp.engines.vllm.options import Options, asked
from dyntemp.engines.vllm.report import Report, Worker
from dyntemp.testing import Asked, EngineSuite
from dyntemp.testing.checks import check_row, some_rows
from dyntemp.testing.spelling import token_of

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from tests.engines.soak import soak  # noqa: E402

from dyntemp.engines.vllm import DynamicTemperature, StatelessDynamicTemperature  # noqa: E402
from dyntemp.engines.vllm import processor as adapter  # noqa: E402
from dyntemp.testing.hosts.vllm import FirstRunner, SecondRunner  # noqa: E402

RUNNERS = {"V1": FirstRunner, "V2": SecondRunner}
REMEMBERS = "0.2 + ema(entropy, 0.5)/5 + integral(0.1*max_prob, 0, 1)"


def params(**extra_args):
    return SimpleNamespace(temperature=1.0, extra_args=extra_args)


@pytest.fixture(params=RUNNERS)
def runner(request):
    return RUNNERS[request.param]


class TestFirstRunner(EngineSuite):
    def make_host(self):
        return FirstRunner(DynamicTemperature)


class TestSecondRunner(EngineSuite):
    def make_host(self):
        return SecondRunner(DynamicTemperature)


class TestSecondRunnerThatDrafts(EngineSuite):
    def make_host(self):
        return SecondRunner(StatelessDynamicTemperature, {"backend": "torch"}, drafts=2)

    def test_broken_rows_are_left_alone_and_counted(self):
        pytest.skip(
            "rows of a device are marked as broken, those of the CPU raise, and here the CPU stands for a device"
        )


class TestTheBatch:
    @pytest.mark.parametrize("seed", range(8))
    def test_memory_follows_each_request_through_whatever_happens_to_the_batch(self, runner, seed):
        host = runner(DynamicTemperature)

        def look(running):
            if runner is FirstRunner:
                places = host.processor._places
                assert sorted(places) == list(range(len(running)))
                assert len({place.slot for place in places.values()} & {*range(12)}) == len(running)

        soak(host, seed, look)

    def test_a_request_that_was_put_back_begins_afresh_where_it_was_and_that_is_counted(self, runner):
        host = runner(DynamicTemperature)
        policy = "0.2 + ema(entropy, 0.5)/5 + 0.01*position"
        first, second = host.begin([Asked(policy), Asked(policy)])
        for turn in range(3):
            rows = some_rows(2, host.vocabulary, seed=turn)
            host.step({first: rows[0], second: rows[1]})
            host.draw({first: 1, second: 1})
        host.preempt(first)
        rows = some_rows(2, host.vocabulary, seed=9)
        found = host.step({first: rows[0].copy(), second: rows[1].copy()})

        check_row(rows[0], found[first], 0.03 + float(temperatures(rows[0], "0.2 + entropy/5", backend="reference")))
        assert host.counts.as_dict()["restarts"] == 1

    def test_a_prompt_that_is_read_in_parts_decides_nothing_until_it_is_read(self, runner):
        """The first runner cannot know, and runs the first position again; the second says so."""
        host = runner(DynamicTemperature)
        (request,) = host.begin([Asked("0.3 + prev(entropy) + 0.1*position", prompt=40)])
        for read in (16, 32, 40):
            row = some_rows(1, host.vocabulary, seed=read)[0]
            found = host.step({request: row.copy()}, *([{request: read}] if runner is SecondRunner else []))[request]
            if read < 40 and runner is SecondRunner:
                assert found.tobytes() == row.tobytes()
        before = row
        check_row(row, found, float(temperatures(row, "0.3 + entropy", backend="reference")))
        host.draw({request: 1})
        row = some_rows(1, host.vocabulary, seed=41)[0]
        found = host.step({request: row.copy()})[request]

        check_row(row, found, float(temperatures(before, "0.4 + entropy", backend="reference")))
        assert host.counts.as_dict()["declined"] == (2 if runner is SecondRunner else 0)

    @pytest.mark.parametrize("drafts", [None, 2])
    def test_a_request_that_was_put_back_decides_nothing_until_its_own_tokens_are_read_again(self, drafts):
        """The second runner tells us; the first runs the position again."""
        kind = DynamicTemperature if drafts is None else StatelessDynamicTemperature
        host = SecondRunner(kind, {"backend": "torch"}, drafts)
        (request,) = host.begin([Asked("0.3 + 0.1*position", prompt=4)])
        host.draw({request: 1})
        host.draw({request: 1})
        host.preempt(request)
        row = some_rows(1, host.vocabulary)[0]

        assert host.step({request: row.copy()}, {request: 5})[request].tobytes() == row.tobytes()
        check_row(row, host.step({request: row.copy()}, {request: 6})[request], 0.5)

    def test_requests_bring_numbers_by_position(self, runner):
        host = runner(DynamicTemperature)
        policy = "given('t', 0, 9)"
        numbers = host.begin(
            [Asked(policy, given={"t": [0.5, 2]}, prompt=5), Asked("0.3"), Asked(policy, given={"t": 4})]
        )
        for expected in ([0.5, 0.3, 4], [2, 0.3, 4], [0.5, 0.3, 4]):
            rows = dict(zip(numbers, some_rows(3, host.vocabulary), strict=True))
            found = host.step({number: row.copy() for number, row in rows.items()})
            for number, t in zip(numbers, expected, strict=True):
                check_row(rows[number], found[number], t)
            host.draw(dict.fromkeys(numbers, 1))

    def test_placeholders_of_tokens_that_are_still_on_the_device_count_as_tokens(self):
        host = FirstRunner(DynamicTemperature)
        (request,) = host.begin([Asked("0.3 + 0.1*position")])
        row = some_rows(1, host.vocabulary)[0]
        for position in range(3):
            check_row(row, host.step({request: row.copy()})[request], 0.3 + 0.1 * position)
            host.draw({request: -1})
            if position:
                host.requests[request].output[:-1] = [5] * position

    def test_a_prompt_of_embeddings_has_no_tokens(self):
        host = FirstRunner(DynamicTemperature)
        (request,) = host.begin([Asked("0.3 + 0.1*position")])
        host.requests[request].prompt = None
        row = some_rows(1, host.vocabulary)[0]

        check_row(row, host.step({request: row.copy()})[request], 0.3)

    def test_a_batch_of_greedy_requests_costs_nothing(self, runner):
        host = runner(DynamicTemperature)
        (request,) = host.begin([Asked("0.1 + entropy", requested=0.0)])
        host.step({request: some_rows(1, host.vocabulary)[0]})

        assert host.counts.as_dict()["calls"] == 0

    def test_rows_are_written_where_they_lie(self):
        host = FirstRunner(DynamicTemperature)
        host.begin([Asked("0.1 + entropy")])
        host.update()
        wide = torch.from_numpy(some_rows(1, host.vocabulary + 24))  # a padded vocabulary, cut off
        logits = wide[:, : host.vocabulary]
        before = wide.clone()

        assert host.processor.apply(logits) is logits
        assert not torch.equal(logits, before[:, : host.vocabulary])
        assert torch.equal(wide[:, host.vocabulary :], before[:, host.vocabulary :])


class TestDrafts:
    """Rows of tokens that were drafted, one after another for each request, in an order that the device knows."""

    def test_each_row_is_decided_by_the_policy_and_the_position_it_stands_at(self):
        host = SecondRunner(StatelessDynamicTemperature, {"backend": "torch"}, drafts=2)
        a, b, c = host.begin([
            Asked("0.1 + entropy", requested=0.7), Asked("0.3 + 0.1*position", prompt=5), Asked(None),
        ])  # fmt: skip
        host.draw({b: 1})
        rows = dict(zip((a, b, c), np.split(some_rows(9, host.vocabulary), 3), strict=True))
        found = host.expanded({request: own.copy() for request, own in rows.items()}, (c, a, b), {})

        for offset in range(3):
            check_row(rows[a][offset], found[a][offset], float(temperatures(rows[a][offset], "0.1 + entropy")))
            check_row(rows[b][offset], found[b][offset], 0.3 + 0.1 * (1 + offset))
            assert found[c][offset].tobytes() == rows[c][offset].tobytes()

    def test_policies_that_remember_are_refused_in_each_request(self):
        host = SecondRunner(StatelessDynamicTemperature, {"backend": "torch"}, drafts=2)
        with pytest.raises(EngineError, match="drafts tokens; send a policy without memory"):
            host.begin([Asked(REMEMBERS)])

    def test_the_class_that_would_take_them_does_not_start(self):
        with pytest.raises(EngineError, match="StatelessDynamicTemperature, which refuses them in each request"):
            SecondRunner(DynamicTemperature, drafts=2)

    def test_drafts_are_not_traced(self, tmp_path):
        with pytest.raises(EngineError, match="not traced: leave it out"):
            SecondRunner(StatelessDynamicTemperature, {"trace": str(tmp_path)}, drafts=2)


class TestWhatARequestSays:
    @pytest.mark.parametrize(("extra_args", "message"), [
        ({"dyntemp": "0.1 + entropi"}, "unknown name `entropi`; did you mean `entropy`"),
        ({"dyntemp": "0.3 - 0.4*max_prob"}, "can reach a temperature of -0.1"),
        ({"dyntemp": "a + b*entropy"}, r"has parameters without values: bind them first"),
        ({"dyntemp": "0.1 + surprisal"}, r"reads `surprisal`, but vLLM \(V1 runner\) does not tell"),
        ({"dyntemp": "given('kl', 0, 1)"}, "send it in the request"),
        ({"dyntemp": "given('kl', 0, 1)", "dyntemp_given": {"k": 1}}, r'"dyntemp_given": \'{"kl": \.\.\.}'),
        ({"dyntemp": "given('kl', 0, 1)", "dyntemp_given": {"kl": [0.5, 2]}}, "was given 2.0, outside its range"),
        ({"dyntemp": "given('kl', 0, 1)", "dyntemp_given": {"kl": []}}, "an object is allowed"),
        ({"dyntemp": "given('kl', 0, 1)", "dyntemp_given": "[1]"}, "an object is allowed"),
        ({"dyntemp": "given('kl', 0, 1)", "dyntemp_given": '{"kl": "x"}'}, "an object is allowed"),
        ({"dyntemp": "0.5", "dyntemp_givn": "{}"}, "`dyntemp_givn` was given in vllm_xargs"),
        ({"dyntemp": " + ".join(["0.001*entropy"] * 400)}, "`dyntemp` has 6397 characters; at most 6000 are allowed"),
        ({"dyntemp": " + ".join(f"prev({n}*entropy)" for n in range(2, 70))}, "keeps 69 numbers per token"),
        ({"dyntemp": 1}, "`dyntemp` = 1 was given; a policy is one line of text"),
        ({"dyntemp": ["0.1", "0.2"]}, r"`dyntemp` = \['0.1', '0.2'\] was given; a policy is one line"),
        ({"dyntemp": [1] * 99}, r"`dyntemp` = \[1, 1, [1, ]*\.\.\. was given"),
        ({"dyntemp": ""}, "."),
        ({"dyntemp_policy": "0.7"}, "`dyntemp_policy` was given in vllm_xargs; dyntemp reads `dyntemp`"),
        ({"dyntmp": "0.7"}, "`dyntmp` was given in vllm_xargs; dyntemp reads `dyntemp`"),
        ({"DynTemp": "0.7"}, "`DynTemp` was given in vllm_xargs; dyntemp reads `dyntemp`"),
        ({"dyntemp": "0.7", "dyntemp_zone": "a=b...c"}, "`dyntemp_zone` was given in vllm_xargs; .* `dyntemp_zones`"),
        ({"dyntemp": "inside('mine')"}, r"names a zone that nobody defined; there are think, "),
        ({"dyntemp": "0.7", "dyntemp_zones": 5}, "`dyntemp_zones` = 5 was given; a text is allowed, or a list"),
        ({"dyntemp": "0.7", "dyntemp_zones": ["a=b...c"] * 17}, "or a list of at most 16"),
        ({"dyntemp": "0.7", "dyntemp_zones": "mine=<" + "a" * 200 + "...>"}, "has at most 100 bytes"),
        ({"dyntemp": "0.7", "dyntemp_id": 5}, "`dyntemp_id` = 5 was given; text of at most 200 characters"),
        ({"dyntemp": "0.7", "dyntemp_id": "x" * 201}, "text of at most 200 characters is allowed"),
    ])  # fmt: skip
    def test_what_is_wrong_is_refused_with_the_reason(self, extra_args, message):
        with pytest.raises(ValueError, match=message):
            DynamicTemperature.validate_params(params(**extra_args))

    @pytest.mark.parametrize("extra_args", [
        None, {}, {"other": 1, "kv_transfer_params": {}, "temp": 0.5, "dyn": 2}, {"dyntemp": "off"},
        {"dyntemp": "0.7", "dyntemp_id": "mine"},
        {"dyntemp": "inside('think')"}, {"dyntemp": "inside('mine')", "dyntemp_zones": "mine=<a>...</a>"},
        {"dyntemp": None}, {"dyntemp": REMEMBERS}, {"dyntemp": "0.5*requested"}, {"dyntemp": NETWORK},
    ])  # fmt: skip
    def test_what_is_right_is_taken(self, extra_args):
        DynamicTemperature.validate_params(SimpleNamespace(temperature=1.0, extra_args=extra_args))

    def test_what_others_send_is_theirs(self):
        assert asked({"other": "0.1"}) is None


class TestZones:
    POLICY = 'where(inside("think") > 0.5, 1.5, 0.25)'

    def test_a_request_that_was_put_back_is_in_the_zone_where_it_was(self, runner):
        """Its tokens are read again: those of its prompt, and those that it had generated."""
        host = runner(DynamicTemperature)
        row = some_rows(1, host.vocabulary)[0]
        first, second = host.begin([Asked(self.POLICY, tokens=(token_of("<thi"),)), Asked("0.7")])
        for piece, t in (("nk>", 0.25), ("b", 1.5)):
            check_row(row, host.step({first: row.copy(), second: row.copy()})[first], t)
            host.draw({first: token_of(piece), second: 1})
        host.preempt(first)
        host.finish(second)
        for piece, t in (("</thin", 1.5), ("k>c", 1.5), ("c", 0.25)):
            check_row(row, host.step({first: row.copy()})[first], t)
            host.draw({first: token_of(piece)})

    def test_a_prompt_that_is_read_in_parts_is_in_its_zone_at_the_end(self, runner):
        host = runner(DynamicTemperature)
        row = some_rows(1, host.vocabulary)[0]
        (request,) = host.begin([Asked(self.POLICY, tokens=(token_of("<thi"), token_of("nk>"), *[token_of("b")] * 8))])
        for read in (4, 8, 10):
            found = host.step({request: row.copy()}, *([{request: read}] if runner is SecondRunner else []))[request]

        check_row(row, found, 1.5)

    def test_a_prompt_of_embeddings_has_no_text(self):
        host = FirstRunner(DynamicTemperature)
        (request,) = host.begin([Asked(self.POLICY)])
        host.requests[request].prompt = None
        row = some_rows(1, host.vocabulary)[0]

        check_row(row, host.step({request: row.copy()})[request], 0.25)

    def test_a_plugin_is_not_told_the_tokens_in_time(self, monkeypatch):
        monkeypatch.setattr("dyntemp.engines.vllm.options.plugins", lambda: ["dyntemp.engines.vllm:DynamicTemperature"])
        with pytest.raises(EngineError, match="uninstall the package dyntemp-vllm, and start the server with"):
            DynamicTemperature.validate_params(params(dyntemp=self.POLICY))
        with pytest.raises(EngineError, match="vLLM does not tell a plugin"):
            FirstRunner(DynamicTemperature, {"policy": self.POLICY})
        DynamicTemperature.validate_params(params(dyntemp="0.7"))

    def test_a_server_without_a_tokenizer_leaves_the_rows_alone_and_says_so(self, runner, caplog):
        host = runner(DynamicTemperature)
        host.processor.tokenizer.exists = False
        (request,) = host.begin([Asked(self.POLICY)])
        row = some_rows(1, host.vocabulary)[0]
        with caplog.at_level(logging.ERROR, "vllm.dyntemp"):
            found = host.step({request: row.copy()})[request]

        assert found.tobytes() == row.tobytes()
        assert "this server has no tokenizer: rows stay as they are" in caplog.text


class TestWhatTheServerSays:
    def test_a_policy_for_requests_that_bring_none(self, runner):
        host = runner(DynamicTemperature, {"policy": "0.1 + entropy"})
        default, own, off = host.begin([Asked(None, requested=1.3), Asked("0.7"), Asked(None)])
        host.requests[off].params.extra_args = {"dyntemp": "off"}
        if runner is SecondRunner:
            host.processor.add_request(host.slot[off], host.requests[off].params)
        rows = some_rows(3, host.vocabulary)
        found = host.step({one: row.copy() for one, row in zip((default, own, off), rows, strict=True)})

        check_row(rows[0], found[default], float(temperatures(rows[0], "0.1 + entropy")))
        check_row(rows[1], found[own], 0.7)
        assert found[off].tobytes() == rows[2].tobytes()

    def test_off_is_a_policy_for_the_server_too(self):
        host = FirstRunner(DynamicTemperature, {"policy": "off"})
        (request,) = host.begin([Asked(None)])
        row = some_rows(1, host.vocabulary)[0]

        assert host.step({request: row.copy()})[request].tobytes() == row.tobytes()

    @pytest.mark.parametrize(("given", "message"), [
        ({"polcy": "0.7"}, "an object with some of policy, counts, trace, records, backend is allowed"),
        ("0.7", r"additional_config\['dyntemp'\] = '0.7' was given; an object"),
        ({"counts": 3}, r"\['counts'\] = 3 was given; text is allowed"),
        ({"policy": "0.1 + entropi"}, "did you mean"),
        ({"policy": "0.1 + surprisal"}, "surprisal"),
        ({"policy": "1" * 6001}, "6001 characters"),
        ({"backend": "cuda"}, "backend 'cuda' was given; there are reference, cpu"),
        ({"counts": "/dev/null/here"}, "cannot be made"),
    ])  # fmt: skip
    def test_what_is_wrong_does_not_start(self, given, message):
        config = FirstRunner(DynamicTemperature).config
        config.additional_config = {"dyntemp": given}
        with pytest.raises(ValueError, match=message):
            DynamicTemperature(config, torch.device("cpu"), False)

    @pytest.mark.parametrize("named", [
        [DynamicTemperature, "other:Class", "dyntemp.engines.vllm:DynamicTemperature"],
        ["dyntemp.engines.vllm:StatelessDynamicTemperature", "dyntemp.engines.vllm:DynamicTemperature"],
    ])  # fmt: skip
    def test_rows_are_not_scaled_twice(self, named):
        config = FirstRunner(DynamicTemperature).config
        config.model_config.logits_processors = named
        with pytest.raises(EngineError, match="rows would be scaled twice, by dyntemp"):
            DynamicTemperature(config, torch.device("cpu"), False)
        config.model_config.logits_processors = named[1:]
        DynamicTemperature(config, torch.device("cpu"), False)

    def test_other_parts_of_the_configuration_are_not_ours(self):
        assert Options.of(SimpleNamespace(additional_config={"other": {"policy": 3}})) == Options()
        assert Options.of(SimpleNamespace(additional_config=object())) == Options()


class TestWhatAWorkerTells:
    def test_the_file_holds_the_counts_when_nothing_runs_any_more(self, tmp_path):
        host = FirstRunner(DynamicTemperature, {"counts": str(tmp_path / "new")})
        requests = host.begin([Asked("0.1 + entropy"), Asked(None)])
        for _ in range(3):
            host.step(dict(zip(requests, some_rows(2, host.vocabulary), strict=True)))
        for request in requests:
            host.finish(request)
        host.update()
        (path,) = (tmp_path / "new").iterdir()
        found = json.loads(path.read_text(encoding="utf-8"))

        assert path.name == f"dyntemp-{found['host']}-{found['pid']}-dp0-rank0.json"
        assert found["runner"] == "V1"
        assert found["counts"] == host.counts.as_dict()
        assert (found["counts"]["seen"], found["counts"]["changed"]) == (6, 3)

    def test_it_is_written_when_the_worker_ends(self, tmp_path):
        host = SecondRunner(DynamicTemperature, {"counts": str(tmp_path)})
        (request,) = host.begin([Asked("0.1 + entropy")])
        for _ in range(3):
            host.step({request: some_rows(1, host.vocabulary)[0]})
        del host
        gc.collect()
        (path,) = tmp_path.iterdir()

        assert json.loads(path.read_text(encoding="utf-8"))["counts"]["seen"] == 3

    def test_once_a_second_and_whole(self, tmp_path, monkeypatch):
        clock, counts = [0.0], Counts()
        report = Report(counts, Worker("V1", None), str(tmp_path), clock=lambda: clock[0])
        replaced = []
        monkeypatch.setattr(
            "pathlib.Path.replace", lambda self, to: replaced.append((self.read_text(encoding="utf-8"), to))
        )
        for clock[0] in np.arange(0, 2.2, 0.1):
            counts.calls += 1
            report.tell()

        assert [json.loads(text)["counts"]["calls"] for text, _ in replaced] == [1, 11, 21]
        assert {to.name for _, to in replaced} == {report._path.name}

    def test_a_disk_that_is_full_does_not_end_the_server(self, tmp_path, caplog):
        report = Report(Counts(), Worker("V1", None), str(tmp_path / "gone"))
        (tmp_path / "gone").rmdir()
        with caplog.at_level(logging.WARNING, logger="vllm.dyntemp"):
            report.tell()
            report.tell(now=True)

        assert [record.message.count("is given up") for record in caplog.records] == [1]

    def test_the_log_says_it_once_a_minute(self, caplog):
        clock, counts = [0.0], Counts()
        report = Report(counts, Worker("V1", None), None, clock=lambda: clock[0])
        with caplog.at_level(logging.INFO, logger="vllm.dyntemp"):
            for clock[0] in range(0, 130, 10):
                counts.seen += 1
                report.tell()

        assert [record.message.split(", ")[1] for record in caplog.records] == ["1 seen", "7 seen", "13 seen"]

    def test_the_log_says_that_it_began(self, caplog):
        with caplog.at_level(logging.INFO, logger="vllm.dyntemp"):
            SecondRunner(DynamicTemperature, {"policy": "0.1 + 0.8*entropy"})

        assert "V2 runner, rank 0; policy of requests that bring none: 0.1 + 0.8*entropy" in caplog.text

    def test_the_trace_holds_each_row_that_was_changed(self, runner, tmp_path):
        host = runner(DynamicTemperature, {"trace": str(tmp_path)})
        named, _, greedy = host.begin([Asked("0.1 + entropy"), Asked(None), Asked("0.7", requested=0.0)])
        host.requests[named].params.extra_args["dyntemp_id"] = "mine"
        if runner is SecondRunner:
            host.processor.add_request(host.slot[named], host.requests[named].params)
        rows = some_rows(3, host.vocabulary)
        for _ in range(2):
            host.step(dict(zip(host.requests, rows.copy(), strict=True)))
            host.draw(dict.fromkeys(host.requests, 1))
        (other,) = host.begin([Asked("0.5 - 0.4*max_prob")])
        host.step({one: rows[0].copy() for one in host.requests})
        (path,) = tmp_path.iterdir()
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        mine = [line for line in lines if line["id"] == "mine"]

        assert [(line["id"], line["position"]) for line in lines].count(("mine", 0)) == 1
        assert [line["position"] for line in mine] == [0, 1, 2]
        assert mine[0]["temperature"] == pytest.approx(0.1 + mine[0]["entropy"])
        assert [set(line) for line in lines if line["id"] != "mine"] == [{"id", "position", "temperature", "max_prob"}]
        assert greedy != other


class TestInterfaces:
    def test_what_is_installed_is_inherited(self, monkeypatch):
        bases = {name: type(f"Base{number}", (), {}) for number, name in enumerate(adapter.INTERFACES)}

        def importing(known):
            def found(name):
                if name in known:
                    return SimpleNamespace(LogitsProcessor=bases[name])
                raise ModuleNotFoundError(name, name=name)

            return found

        for known in (adapter.INTERFACES, adapter.INTERFACES[:1], ()):
            monkeypatch.setattr(adapter, "import_module", importing(known))
            assert adapter._bases() == tuple(bases[name] for name in known)

    def test_a_vllm_that_is_broken_says_so(self, monkeypatch):
        def broken(name):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

        monkeypatch.setattr(adapter, "import_module", broken)
        with pytest.raises(ModuleNotFoundError, match="numpy"):
            adapter._bases()

    @pytest.mark.parametrize("public", [DynamicTemperature, StatelessDynamicTemperature])
    def test_processes_find_the_class_by_its_public_name(self, public):
        assert public.__module__ == "dyntemp.engines.vllm"
        assert pickle.loads(pickle.dumps(public)) is public

    def test_it_stands_where_the_record_says(self):
        assert FirstRunner(DynamicTemperature).processor.is_argmax_invariant()
        assert not CAPABILITIES["vllm/v1"].surprisal
        assert StatelessDynamicTemperature.capabilities(second=True).remembers is False
