"""Policy: what it is made of, what it is equal to, and how it travels."""

import copy
import json
import pickle

import numpy as np
import pytest

from dyntemp import Policy, PolicyError, param, temperatures
from dyntemp.language.interval import Interval
from dyntemp.language.nodes import Const
from dyntemp.language.parse import parse
from dyntemp.signals import entropy, max_prob


class TestMaking:
    @pytest.mark.parametrize("rule", ["0.1 + 0.8*entropy", 0.1 + 0.8 * entropy, Policy("0.1 + 0.8*entropy")])
    def test_from_text_an_expression_or_a_policy(self, rule):
        assert Policy(rule) == Policy("0.1 + 0.8*entropy")

    @pytest.mark.parametrize("number", [0.7, 0, 1, np.float32(0.5), np.int64(2)])
    def test_from_a_number(self, number):
        assert Policy(number).expression == Const(float(number))

    @pytest.mark.parametrize(
        "wrong", [None, True, [0.7], np.array(0.7), entropy < 1, float("nan"), float("inf"), b"0.7"]
    )
    def test_from_anything_else_is_refused(self, wrong):
        with pytest.raises(PolicyError):
            Policy(wrong)

    def test_floor_and_ceiling_are_sugar(self):
        assert Policy("entropy", floor=0.1) == Policy("max(entropy, 0.1)")
        assert Policy("entropy", ceiling=2) == Policy("clip(entropy, 0, 2)")
        assert Policy("entropy", floor=0.1, ceiling=2) == Policy("clip(entropy, 0.1, 2)")
        assert Policy("0.3 - 0.4*max_prob", floor=0.05).bounds().low == 0.05
        assert Policy("1/entropy", ceiling=2).bounds().high == 2
        assert Policy(3, floor=0.1, ceiling=2).expression == Const(2.0)

    @pytest.mark.parametrize(
        ("limits", "fragment"),
        [
            ({"floor": -0.1}, "floor = -0.1 was given; temperatures are at least 0"),
            ({"floor": float("nan")}, "floor = nan"),
            ({"ceiling": -1}, "ceiling = -1 was given, below the floor of 0"),
            ({"floor": 2, "ceiling": 1}, "ceiling = 1 was given, below the floor of 2"),
            ({"ceiling": float("inf")}, "finite numbers"),
            ({"floor": True}, "bool was given"),
        ],
    )
    def test_limits_are_checked(self, limits, fragment):
        with pytest.raises(PolicyError, match=fragment):
            Policy("entropy", **limits)

    def test_a_floor_makes_a_policy_safe(self):
        with pytest.raises(PolicyError):
            Policy("0.3 - 0.4*max_prob")
        assert Policy("0.3 - 0.4*max_prob", floor=0.05).bounds().low == 0.05

    def test_a_name_is_text(self):
        with pytest.raises(PolicyError, match="a policy's name is text, but int was given"):
            Policy("entropy", name=3)

    def test_bounds_are_plain_pairs(self):
        low, high = Policy("0.1 + 0.8*normalized_entropy").bounds()

        assert (low, high) == (0.1, 0.9) == Interval(0.1, 0.9)


class TestEquality:
    def test_is_of_structure(self):
        assert Policy("0.1+0.8*entropy") == Policy(0.1 + 0.8 * entropy)
        assert Policy("2*0.05 + 0.8*entropy") == Policy("0.1 + 0.8*entropy")
        assert Policy("entropy + 0.1") != Policy("0.1 + entropy")
        assert Policy("entropy") != "entropy"
        assert Policy("entropy") != entropy

    def test_leaves_the_name_outside(self):
        named = Policy("entropy", name="heat")

        assert named == Policy("entropy")
        assert hash(named) == hash(Policy("entropy"))
        assert str(named) == "entropy"
        assert repr(named) == "Policy('entropy', name='heat')"
        assert repr(Policy("entropy")) == "Policy('entropy')"
        assert len({named, Policy("entropy")}) == 1

    def test_a_name_travels_to_policies_made_from_it(self):
        named = Policy("a*entropy", name="heat")

        assert named.bind(a=1).name == "heat"
        assert Policy(named).name == "heat"
        assert Policy(named, name="other").name == "other"
        assert Policy(Policy("entropy", name="heat"), floor=1).name == "heat"


class TestImmutability:
    def test_attributes_do_not_change(self):
        policy = Policy("entropy")
        for name in ("name", "expression", "other"):
            with pytest.raises(AttributeError, match="does not change"):
                setattr(policy, name, 1)
            with pytest.raises(AttributeError, match="does not change"):
                delattr(policy, name)

    def test_bind_makes_another(self):
        template = Policy("a*entropy")
        template.bind(a=1)

        assert list(template.parameters) == ["a"]


class TestTravel:
    POLICIES = (
        Policy("0.1 + 0.8*entropy", name="heat"),
        Policy("a + b*max_prob"),
        Policy("param('theta', 0.1, 2)*normalized_entropy"),
        Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)"),
    )

    @pytest.mark.parametrize("policy", POLICIES, ids=str)
    @pytest.mark.parametrize(
        "again",
        [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p)), lambda p: Policy.from_json(p.to_json()),
         lambda p: Policy(str(p), name=p.name)],
        ids=["copy", "deepcopy", "pickle", "json", "text"],
    )  # fmt: skip
    def test_copies_are_equal_with_their_names(self, policy, again):
        copied = again(policy)

        assert policy == copied
        assert policy.name == copied.name
        assert hash(policy) == hash(copied)

    @pytest.mark.parametrize("policy", POLICIES, ids=str)
    def test_save_and_load(self, policy, tmp_path):
        policy.save(tmp_path / "policy.json")
        loaded = Policy.load(str(tmp_path / "policy.json"))

        assert policy == loaded
        assert policy.name == loaded.name

    def test_a_saved_file_is_one_object_with_a_version(self, tmp_path):
        Policy("entropy", name="Wärme").save(tmp_path / "policy.json")

        assert json.loads((tmp_path / "policy.json").read_text(encoding="utf-8")) == {
            "format": "dyntemp.policy", "version": 1, "policy": "entropy", "name": "Wärme",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "fragment"),
        [
            ("", "this is not the JSON of a policy"),
            ('{"format": "dyntemp.policy", "ver', "this is not the JSON of a policy"),
            ("[]", 'an object with "format": "dyntemp.policy" is expected'),
            ("{}", "is expected"),
            ('{"format": "other", "version": 1, "policy": "entropy"}', "is expected"),
            ('{"format": "dyntemp.policy", "version": 1}', "is expected"),
            ('{"format": "dyntemp.policy", "version": 1, "policy": 3}', "is expected"),
            (
                '{"format": "dyntemp.policy", "version": 2, "policy": "entropy"}',
                "format version 2, and this dyntemp reads 1",
            ),
            ('{"format": "dyntemp.policy", "policy": "entropy"}', "format version None"),
            ('{"format": "dyntemp.policy", "version": 1, "policy": "entropi"}', "did you mean `entropy`"),
            ('{"format": "dyntemp.policy", "version": 1, "policy": "-1"}', "temperature of -1"),
            ('{"format": "dyntemp.policy", "version": 1, "policy": "entropy", "name": 3}', "name is text"),
        ],
    )
    def test_a_damaged_file_is_named_with_its_fault(self, content, fragment, tmp_path):
        path = tmp_path / "policy.json"
        path.write_text(content, encoding="utf-8")

        with pytest.raises(PolicyError) as caught:
            Policy.load(path)

        assert fragment in str(caught.value)
        assert "policy.json" in str(caught.value)

    def test_a_file_that_is_no_text(self, tmp_path):
        (tmp_path / "policy.json").write_bytes(b"\xff\xfe\x00")

        with pytest.raises(PolicyError, match=r"policy.json"):
            Policy.load(tmp_path / "policy.json")


class TestParameters:
    def test_are_listed_in_order_with_their_ranges(self):
        found = Policy("c*entropy + param('theta', 0, 2) + a").parameters

        assert list(found) == ["c", "theta", "a"]
        assert (found["theta"].low, found["theta"].high) == (0, 2)
        assert found["a"].low is None

    def test_bind_some(self):
        assert str(Policy("a + b*entropy").bind(a=0.1)) == "0.1 + b*entropy"
        assert Policy("a + b*entropy").bind(a=0.1).bind(b=0.8) == Policy("0.1 + 0.8*entropy")

    def test_bind_folds(self):
        assert str(Policy("a*2 + entropy").bind(a=0.5)) == "1 + entropy"
        assert str(Policy("temperature_for_entropy(a*entropy)").bind(a=0.5)) == "temperature_for_entropy(0.5*entropy)"

    def test_bind_reaches_every_kind_of_node(self):
        policy = Policy("where(max_prob < a, -a*entropy + 20, clip(a, 0, 1)) + ema(a*entropy, 0.5)*(-(-(a**entropy)))")

        assert not policy.bind(a=0.5).parameters

    @pytest.mark.parametrize(
        ("values", "fragment"),
        [
            ({"z": 1}, "no parameter `z` in this policy; its parameters are a, theta"),
            ({"thata": 1}, "did you mean `theta`?"),
            ({"a": entropy}, "is bound to a number, but `entropy` was given"),
            ({"a": True}, "bool was given"),
            ({"a": "1"}, "str was given"),
            ({"a": np.array(1.0)}, "ndarray was given"),
            ({"a": float("nan")}, "finite"),
            ({"theta": 3}, "`theta` = 3 was given, outside its range of 0 to 2"),
        ],
    )
    def test_bind_checks(self, values, fragment):
        with pytest.raises(PolicyError) as caught:
            Policy("a*entropy + param('theta', 0, 2)").bind(**values)

        assert fragment in str(caught.value)

    def test_a_template_parses_prints_and_saves_but_does_not_compute(self):
        template = Policy("a + b*entropy")

        assert template.is_template
        assert str(template) == "a + b*entropy"
        with pytest.raises(PolicyError, match="its parameter `a` has no value"):
            template.bounds()
        with pytest.raises(PolicyError, match="parameter `a` has no value"):
            template.step({"entropy": [1.0]})
        with pytest.raises(PolicyError, match="parameter `a` has no value"):
            temperatures(np.zeros(4), template)

    def test_values_may_come_with_the_call(self):
        policy = Policy(param("a", 0, 1) + entropy)

        assert not policy.is_template
        assert policy.step({"entropy": [1.0]}, parameters={"a": 0.5}).tolist() == [1.5]
        assert float(temperatures(np.zeros(1), policy, parameters={"a": 0.5})) == 0.5
        with pytest.raises(PolicyError, match="outside its range"):
            policy.step({"entropy": [1.0]}, parameters={"a": 2})
        with pytest.raises(PolicyError, match="no parameter `b`"):
            policy.step({"entropy": [1.0]}, parameters={"b": 2})


class TestStep:
    def test_gives_float64_per_row(self):
        found = Policy("0.1 + 0.8*entropy").step({"entropy": np.array([0.0, 1.0], np.float32)})

        assert found.dtype == np.float64
        assert found.tolist() == [0.1, 0.9]

    def test_constants_are_for_every_row(self):
        assert Policy("0.7").step({"entropy": [1.0, 2.0]}).tolist() == [0.7, 0.7]
        assert Policy("0.7").step({}, position=[0, 1, 2]).tolist() == [0.7] * 3
        assert Policy("0.7").step({}).tolist() == [0.7]

    def test_numbers_among_rows_are_for_every_row(self):
        policy = Policy("entropy + position")

        assert policy.step({"entropy": 1.0}, position=[0, 1]).tolist() == [1, 2]
        assert policy.step({"entropy": [1.0, 2.0]}, position=3).tolist() == [4, 5]

    def test_what_was_not_measured_is_named(self):
        with pytest.raises(PolicyError, match=r"reads `max_prob`, which was not among the signals given: \['entropy'"):
            Policy("entropy + max_prob").step({"entropy": [1.0]})

    def test_requested_and_position_have_defaults(self):
        assert Policy("requested + position").step({}).tolist() == [1]
        assert Policy("requested").step({"requested": [0.0, 0.5]}).tolist() == [0, 0.5]

    @pytest.mark.parametrize(
        ("text", "signals", "more"),
        [
            ("requested", {"requested": [-0.1]}, {}),
            ("requested", {"requested": [np.nan]}, {}),
            ("requested", {"requested": [np.inf]}, {}),
            ('given("kl", 0, 20)', {'given("kl", 0, 20)': [21.0]}, {}),
            ('given("kl", 0, 20)', {'given("kl", 0, 20)': [np.nan]}, {}),
            ("entropy", {"entropy": [-0.1]}, {}),
            ("entropy", {"entropy": [np.nan]}, {}),
            ("max_prob", {"max_prob": [1.5]}, {}),
        ],
    )
    def test_what_the_caller_gives_stays_in_its_range(self, text, signals, more):
        with pytest.raises(PolicyError, match="outside its range"):
            Policy(text).step(signals, **more)

    @pytest.mark.parametrize("position", [-5, 1.7, np.nan, "a", 2**32])
    def test_positions_are_whole_numbers(self, position):
        with pytest.raises(PolicyError, match=r"position = .* was given"):
            Policy("0.1*position").step({}, position=position)

    def test_parameters_cannot_go_round_the_check_of_a_template(self):
        """A template is not known to be safe, so it has to be bound, which checks it."""
        with pytest.raises(PolicyError, match="is a template: its parameter `a` has no value"):
            Policy("a - b*max_prob").step({"max_prob": [0.5]}, parameters={"a": 0.1, "b": 0.9})
        with pytest.raises(PolicyError, match="has no value: bind it, or pass parameters="):
            Policy('param("theta", 0, 2)').step({})
        assert Policy('param("theta", 0, 2)').step({}, parameters={"theta": 1.5}).tolist() == [1.5]

    def test_a_constant_below_zero_names_no_signal(self):
        with pytest.raises(PolicyError, match=r"`-1` can reach a temperature of -1: add"):
            Policy(-1)

    def test_given_numbers(self):
        text = 'given("kl", 0, 20)'

        assert Policy(text).step({text: [0.0, 20.0]}).tolist() == [0, 20]

    def test_log_of_perplexity_is_entropy(self):
        """Without the detour it is exact, and needs one signal."""
        policy = Policy("0.1 + 0.8*log(perplexity)")

        assert [str(signal) for signal in policy.signals] == ["entropy"]
        assert policy.step({"entropy": [1.2345]}).tolist() == [0.1 + 0.8 * 1.2345]
        assert str(policy) == "0.1 + 0.8*log(perplexity)"

    def test_surprisal_needs_the_entropy_it_starts_with(self):
        assert [str(signal) for signal in Policy("surprisal").signals] == ["entropy", "surprisal"]

    def test_no_negative_zero_comes_out(self):
        assert not np.signbit(Policy("0*(entropy - 20)").step({"entropy": [1.0]})).any()


def test_the_expression_is_what_was_written():
    assert Policy("log(perplexity)").expression == parse("log(perplexity)")
    assert Policy(max_prob).expression is max_prob


def test_a_policy_names_the_zones_that_it_reads():
    policy = Policy('where(inside("think") > 0.5, 1, 0.3) + 0.1*prev(inside("code"))')

    assert sorted(policy.zones) == ["code", "think"]
    assert Policy("entropy").zones == ()
