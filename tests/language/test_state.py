"""The memory of a policy: one table, one rule, and sequences worked out by hand."""

import numpy as np
import pytest

from dyntemp import Policy, StateError, sample, temperatures
from dyntemp.language.state import State, rounds


def run(policy, values, state=None, positions=None, **more):
    """The temperatures of one request whose entropies are `values`."""
    policy = Policy(policy)
    state = state or policy.state()
    positions = range(len(values)) if positions is None else positions
    return [
        float(policy.step({"entropy": [h], **more}, state=state, slot=[0], position=[t])[0])
        for t, h in zip(positions, values, strict=True)
    ]


class TestSequences:
    def test_ema(self):
        assert run("ema(entropy, 0.5)", [1, 2, 4, 0]) == [1, 1.5, 2.75, 1.375]

    def test_ema_with_a_decay_that_moves(self):
        found = run("ema(entropy, min(entropy/4, 1))", [1, 2, 4, 0])

        assert found == [1, 0.5 * 1 + 0.5 * 2, 1.5, 0]

    def test_ema_does_not_leave_what_it_averages(self):
        """0.9*x + 0.1*x rounds away from x."""
        for x in (0.1, 0.3, 1 / 3, 13.862943611198906):
            assert run("ema(entropy, 0.9)", [x] * 50) == [x] * 50

    def test_prev(self):
        assert run("prev(entropy)", [1, 2, 4]) == [1, 1, 2]
        assert run("prev(prev(entropy))", [1, 2, 4, 8]) == [1, 1, 1, 2]

    def test_integral(self):
        assert run("1 + integral(entropy - 2, -1, 1)", [3, 3, 3, 1, 1, 1, 1, 1]) == [2, 2, 2, 1, 0, 0, 0, 0]

    def test_integral_starts_with_the_present_one_and_does_not_wind_up(self):
        found = run("1 + integral(entropy - 2, -1, 1)", [2.25] + [9] * 100 + [1.5])

        assert found[0] == 1.25
        assert found[100] == 2
        assert found[101] == 1.5

    def test_nested(self):
        assert run("ema(prev(entropy), 0.5)", [1, 3, 5]) == [1, 1, 2]

    def test_the_same_node_twice_is_one_memory(self):
        assert run("ema(entropy, 0.5) + ema(entropy, 0.5)", [1, 2, 4]) == [2, 3, 5.5]

    def test_branches_not_taken_are_remembered_too(self):
        found = run("where(entropy < 1, prev(entropy), 0.5)", [5, 0.5, 7, 0.25])

        assert found == [0.5, 5, 0.5, 7]

    def test_surprisal_is_of_the_token_before_and_starts_at_the_entropy(self):
        policy = Policy("surprisal")
        state = policy.state()
        found = []
        for t, surprise in enumerate([3.0, 0.5, 70.0, -1.0, 2.0]):
            found += run(policy, [1.5], state, [t])
            state.observe([0], t, [surprise])

        assert found == [1.5, 3.0, 0.5, 50.0, 0.0]  # the number that a host reports is kept inside the signal's range

    def test_surprisal_that_no_one_reports_restarts_at_the_entropy(self):
        policy = Policy("surprisal")
        state = policy.state()

        assert run(policy, [1.5, 2.5, 3.5], state) == [1.5, 2.5, 3.5]
        assert state.restarts == 2

    def test_feedback_holds_the_temperature_between_its_ends(self):
        policy = Policy("0.7 + integral(0.1*(2.5 - surprisal), -0.5, 0.8)")
        state = policy.state()
        found = []
        for t in range(100):
            found += run(policy, [1.0], state, [t])
            state.observe([0], t, [0.0])

        assert found[0] == pytest.approx(0.7 + 0.15)
        assert found[1] == pytest.approx(0.7 + 0.15 + 0.25)
        assert found[-1] == 1.5

    def test_sample_reports_the_surprisal_itself(self):
        policy = Policy("surprisal")
        state = policy.state()
        row = np.log([0.7, 0.2, 0.1])
        before = None
        for t in range(20):
            drawn = sample(row, policy, seed=5, request=0, position=t, state=state)
            if before is not None:
                assert float(drawn.temperature) == pytest.approx(-row[int(before.token)], abs=1e-12)
            before = drawn


class TestTheRule:
    """Read position - 1, write position."""

    def test_running_a_position_again_gives_the_same(self):
        policy = Policy("ema(entropy, 0.5)")
        state = policy.state()
        run(policy, [1, 2], state)

        assert run(policy, [4] * 5, state, [2] * 5) == [2.75] * 5
        assert run(policy, [0], state, [3]) == [1.375]

    def test_running_a_position_again_with_another_row_replaces_it(self):
        policy = Policy("ema(entropy, 0.5)")
        state = policy.state()
        run(policy, [1, 2, 10], state)

        assert run(policy, [4, 0], state, [2, 3]) == [2.75, 1.375]

    def test_jumping_back_reads_what_was_true_there(self):
        policy = Policy("integral(entropy, 0, 100)")
        state = policy.state()
        run(policy, [1, 10, 10, 10, 10], state)

        assert run(policy, [2, 3], state, [1, 2]) == [3, 6]
        assert state.restarts == 0

    def test_a_skipped_position_is_a_counted_restart(self):
        policy = Policy("ema(entropy, 0.5)")
        state = policy.state()

        assert run(policy, [1, 2, 8, 4], state, [0, 1, 5, 6]) == [1, 1.5, 8, 6]
        assert state.restarts == 1

    def test_the_window_wraps(self):
        policy = Policy("integral(1, 0, 1000)")
        state = policy.state(window=4)

        assert run(policy, [0] * 50, state) == list(range(1, 51))
        assert run(policy, [0] * 2, state, [48, 49]) == [49, 50]
        assert state.restarts == 0

    def test_a_jump_back_further_than_the_window_is_a_counted_restart(self):
        policy = Policy("integral(1, 0, 1000)")
        state = policy.state(window=4)
        run(policy, [0] * 50, state)

        assert run(policy, [0], state, [40]) == [1]
        assert state.restarts == 1

    def test_slots_do_not_see_one_another(self):
        policy = Policy("ema(perplexity, 0.5)")
        state = policy.state(3)
        for t, values in enumerate([[1, 10, 100], [2, 20, 200], [4, 40, 400]]):
            found = policy.step({"perplexity": values}, state=state, position=t)

        assert found.tolist() == [2.75, 27.5, 275.0]

    def test_slots_may_come_in_any_order_and_at_any_position(self):
        policy = Policy("ema(perplexity, 0.5)")
        state = policy.state(3)
        policy.step({"perplexity": [1, 10, 100]}, state=state, position=0)
        policy.step({"perplexity": [200, 2]}, state=state, slot=[2, 0], position=[1, 1])

        found = policy.step({"perplexity": [20, 400, 4]}, state=state, slot=[1, 2, 0], position=[1, 2, 2])

        assert found.tolist() == [15, 275, 2.75]

    def test_several_positions_of_one_slot_in_one_call(self):
        policy = Policy("ema(perplexity, 0.5)")
        state = policy.state(2)

        found = policy.step(
            {"perplexity": [4, 1, 10, 2, 20]}, state=state, slot=[0, 0, 1, 0, 1], position=[2, 0, 0, 1, 1]
        )

        assert found.tolist() == [2.75, 1, 10, 1.5, 15]
        assert state.restarts == 0

    def test_any_batching_gives_the_same(self):
        rng = np.random.default_rng(1)
        policy = Policy("ema(entropy, 0.5) + prev(entropy) + integral(entropy - 3, -2, 2) + 2")
        values = rng.uniform(0, 5, (3, 40))
        one_by_one = policy.state(3)
        expected = np.array(
            [[policy.step({"entropy": [values[s, t]]}, state=one_by_one, slot=[s], position=[t])[0] for t in range(40)]
             for s in range(3)]
        )  # fmt: skip
        state = policy.state(3)
        slots, positions = (grid.ravel() for grid in np.meshgrid(range(3), range(40), indexing="ij"))
        order = rng.permutation(120)
        found = np.empty(120)
        found[order] = policy.step(
            {"entropy": values.ravel()[order]}, state=state, slot=slots[order], position=positions[order]
        )

        assert found.reshape(3, 40).tolist() == expected.tolist()

    def test_a_recycled_slot_never_reads_the_old_request(self):
        policy = Policy("ema(entropy, 0.5)")
        state = policy.state()
        run(policy, [1, 2, 4], state)
        state.begin(0)

        assert run(policy, [8, 10], state) == [8, 9]
        assert run(policy, [5], state, [3]) == [5]
        assert state.restarts == 1

    def test_a_recycled_slot_forgets_every_cell_at_the_first_write(self):
        """The second request's average is written before anyone reports the surprise of its first token."""
        policy = Policy("surprisal + 0*ema(entropy, 0.5)")
        state = policy.state()
        run(policy, [1], state)
        state.observe([0], 0, [9.0])
        state.begin(0)

        assert run(policy, [2, 3], state) == [2, 3]

    def test_a_position_that_comes_round_again_forgets_every_cell(self):
        policy = Policy("surprisal + 0*ema(entropy, 0.5)")
        state = policy.state(window=2)
        run(policy, [1], state)
        state.observe([0], 0, [9.0])

        assert run(policy, [2, 3, 4], state, [1, 2, 3]) == [9, 3, 4]

    def test_beginning_one_slot_leaves_the_others(self):
        policy = Policy("ema(entropy, 0.5)")
        state = policy.state(2)
        policy.step({"entropy": [1, 1]}, state=state, position=0)
        state.begin(0)

        assert policy.step({"entropy": [3, 3]}, state=state, position=1).tolist() == [3, 2]

    def test_remembered_infinities_are_not_nan(self):
        assert run("ema(1/entropy, 0.5)", [0, 1, 1]) == [np.inf] * 3
        assert run("prev(1/entropy)", [0, 1, 1]) == [np.inf, np.inf, 1]


class TestErrors:
    def test_no_state(self):
        with pytest.raises(StateError, match=r"`ema\(entropy, 0.5\)` remembers: pass state=policy.state"):
            Policy("ema(entropy, 0.5)").step({"entropy": [1]})
        with pytest.raises(StateError, match="remembers"):
            temperatures(np.zeros(3), "ema(entropy, 0.5)")
        with pytest.raises(StateError, match="remembers"):
            sample(np.zeros(3), "surprisal")

    def test_the_state_of_another_policy(self):
        with pytest.raises(StateError, match="made for another policy"):
            Policy("ema(entropy, 0.5)").step({"entropy": [1]}, state=Policy("ema(entropy, 0.6)").state())

    def test_slots_outside_the_table(self):
        policy = Policy("ema(entropy, 0.5)")
        for slot in ([1], [-1]):
            with pytest.raises(StateError, match=r"this state has 1: make it with policy.state\(slots="):
                policy.step({"entropy": [1]}, state=policy.state(), slot=slot)
        with pytest.raises(StateError, match="this state has 1"):
            policy.step({"entropy": [1, 2]}, state=policy.state())
        with pytest.raises(StateError, match="this state has 1"):
            policy.state().begin(1)

    def test_negative_positions(self):
        policy = Policy("ema(entropy, 0.5)")
        with pytest.raises(StateError, match="position = -1 was given"):
            policy.step({"entropy": [1]}, state=policy.state(), position=-1)

    @pytest.mark.parametrize("arguments", [(0,), (1, 1), (-1,)])
    def test_tables_without_room(self, arguments):
        with pytest.raises(StateError, match="at least 1 and 2 are needed"):
            Policy("ema(entropy, 0.5)").state(*arguments)


def test_a_policy_without_memory_takes_a_state_and_ignores_it():
    policy = Policy("0.1 + entropy")

    assert policy.step({"entropy": [1.0]}, state=policy.state(), position=3).tolist() == [1.1]
    assert not policy.remembers
    assert Policy("prev(entropy)").remembers
    assert Policy("surprisal").remembers


def test_each_node_owns_a_cell():
    policy = Policy("ema(entropy, 0.5) + prev(ema(entropy, 0.5)) + surprisal/50 + surprisal/50")

    assert [str(node) for node in policy.program.cells] == [
        "surprisal", "ema(entropy, 0.5)", "prev(ema(entropy, 0.5))",
    ]  # fmt: skip
    assert policy.state().width == 3
    assert Policy("prev(entropy)").state().width == 2  # the first is that of the surprisal, read or not
    assert Policy("entropy").state().width == 0


def test_a_state_without_policies_takes_any_that_it_has_room_for():
    narrow, wide = Policy("ema(entropy, 0.5)"), Policy("ema(entropy, 0.5) + prev(entropy)")
    state = State(slots=2)
    state.grow(width=2)

    assert narrow.step({"entropy": [1.0]}, state=state, slot=[1], position=[0]).tolist() == [1.0]
    with pytest.raises(StateError, match="another policy"):
        wide.step({"entropy": [1.0]}, state=state, position=[0])
    state.grow(slots=5, width=3)

    assert wide.step({"entropy": [1.0]}, state=state, slot=[0], position=[0]).tolist() == [2.0]
    assert narrow.step({"entropy": [3.0]}, state=state, slot=[1], position=[1]).tolist() == [2.0]  # kept


def test_a_state_is_for_the_policies_it_was_made_for():
    state = Policy("ema(entropy, 0.5)").state()

    with pytest.raises(StateError, match="another policy"):
        Policy("ema(max_prob, 0.5)").step({"max_prob": [1.0]}, state=state, position=[0])


def test_rounds_hold_each_slot_once_and_lower_positions_first():
    slots, positions = np.array([0, 1, 0, 0, 1]), np.array([5, 0, 3, 4, 1])

    assert [turn.tolist() for turn in rounds(slots, positions)] == [[1, 2], [3, 4], [0]]
    assert [turn.tolist() for turn in rounds(np.arange(3), np.zeros(3))] == [[0, 1, 2]]


def test_zero_rows():
    policy = Policy("ema(entropy, 0.5)")

    assert policy.step({"entropy": np.empty(0)}, state=policy.state()).shape == (0,)
    assert temperatures(np.empty((0, 4)), policy, state=policy.state()).shape == (0,)
