"""Searches by one process and by several: each trial is done once, whichever process ends when."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from tests.tune.searching import TRIALS, search
from tests.tune.surfaces import numbers
from tests.waiting import wait_until

from dyntemp.errors import StudyError
from dyntemp.tune import search as search_module
from dyntemp.tune import storage as storage_module
from dyntemp.tune.results import Measured
from dyntemp.tune.search import PRUNED_AFTER
from dyntemp.tune.storage import WORKER, fail_dead, open_storage

optuna = pytest.importorskip("optuna")
from sqlalchemy import event  # noqa: E402 (which Optuna needs)

ROOT = Path(__file__).parents[2]
POSTGRESQL = [path for path in sorted(Path("/usr/lib/postgresql").glob("*/bin")) if (path / "initdb").exists()]
RUNNING, COMPLETE, FAIL = (optuna.trial.TrialState[name] for name in ("RUNNING", "COMPLETE", "FAIL"))


@pytest.fixture
def storage():
    return optuna.storages.InMemoryStorage()


class Stop(BaseException):
    """Ends a search as a signal does that no code sees."""


def stopping(after):
    """A measurement that dies with the process after some trials: the trial stays as it is in the database."""
    measure, calls = search().measure, []

    def stopped(arm, enough):
        calls.append(arm)
        if len(calls) > after:
            raise Stop
        return measure(arm, enough)

    return stopped


def process(folder, *url, seconds=0.1):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    return subprocess.Popen([sys.executable, "-m", "tests.tune.searching", str(folder), str(seconds), *url],
                            env=environment)  # fmt: skip


def trials(storage):
    return [one for study in storage.get_all_studies() for one in storage.get_all_trials(study._study_id)]


def busy(storage, child):
    """True if a process is in the middle of a trial, after some that are done."""
    states = [(one.state, one.user_attrs.get(WORKER, "").rpartition(" ")[2]) for one in trials(storage)]
    return sum(state == COMPLETE for state, _ in states) >= 3 and (RUNNING, str(child.pid)) in states


def workers(storage):
    return {one.user_attrs[WORKER] for one in trials(storage) if WORKER in one.user_attrs}


def check_each_place_is_done_once(storage):
    found = trials(storage)

    assert list(range(TRIALS)) == sorted(one.user_attrs["place"] for one in found if one.state == COMPLETE)
    assert {COMPLETE, FAIL} >= {one.state for one in found}
    failed = [one for one in found if one.state == FAIL and one.params]
    for one in failed:
        (again,) = [other for other in found
                    if other.state == COMPLETE and other.user_attrs["place"] == one.user_attrs["place"]]  # fmt: skip
        assert one.params.items() <= again.params.items(), "a trial that was cut short is done again as it was"
    return failed


def test_first_trials_come_first_and_the_sampler_draws_the_others(storage):
    found = search().run(storage)

    assert list(range(TRIALS)) == [one.number for one in found]
    assert ["first: low", "first: high", "tpe"] == [one.source for one in found[:3]]
    assert {"a": 0.1, "b": 0.1, "g": 0.1} == found[0].parameters
    assert TRIALS == len({tuple(one.parameters.values()) for one in found})


@pytest.mark.parametrize(("sampler", "package"), [("gp", "torch"), ("cmaes", "cmaes")])
def test_other_samplers_need_a_package_and_draw_the_trials_behind_the_first(storage, monkeypatch, sampler, package):
    with monkeypatch.context() as without:
        without.setattr(search_module, "find_spec", lambda name: None if name == package else name)
        with pytest.raises(StudyError, match=f"the sampler {sampler} needs {package}: run"):
            search(sampler=sampler).run(optuna.storages.InMemoryStorage())
    pytest.importorskip(package)

    found = search(sampler=sampler).run(storage)

    assert ["first: low", "first: high", *[sampler] * (TRIALS - 2)] == [one.source for one in found]
    assert TRIALS - 2 <= len({tuple(one.parameters.values()) for one in found})


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_interrupted_search_draws_what_it_would_have_drawn(storage, sampler, monkeypatch):
    monkeypatch.setattr(storage_module, "alive", lambda _: False)
    with pytest.raises(Stop):
        search(sampler=sampler, measure=stopping(7)).run(storage)
    assert [RUNNING] == [one.state for one in trials(storage) if one.state != COMPLETE]

    again = search(sampler=sampler).run(storage)

    assert search(sampler=sampler).run(optuna.storages.InMemoryStorage()) == again
    assert 1 == len(check_each_place_is_done_once(storage))


def test_a_finished_search_is_not_run_again(storage):
    whole = search().run(storage)

    assert whole == search(measure=stopping(0)).run(storage)


def test_an_error_of_a_measurement_is_told_and_the_trial_done_again(storage):
    def broken(arm, enough):
        raise StudyError("no such thing")

    with pytest.raises(StudyError, match="no such thing"):
        search(measure=broken).run(storage)

    search().run(storage)
    check_each_place_is_done_once(storage)


def test_a_trial_that_is_worse_item_by_item_is_pruned(storage):
    easy, seen = np.random.default_rng(0).normal(0, 1, 12), []

    def measure(arm, enough):
        own = (easy + numbers(arm)[0]).tolist()
        count = next((at for at in range(1, 13) if enough(own[:at])), 12)
        seen.append(count)
        return Measured(split="tune", values=[sum(own[:count]) / count], low=[None], high=[None], items={}, exact=False,
                        texts=count, tokens=0, whole=count == 12)  # fmt: skip

    first = {name: {"a": a, "b": 0.5, "g": 0.5} for name, a in (("good", 0.8), ("bad", 0.1), ("better", 0.9))}
    found = search(measure=measure, prunes=True, trials=3, first=first).run(storage)

    assert ["complete", "pruned", "complete"] == [one.state for one in found]
    assert [12, PRUNED_AFTER, 12] == seen
    told = [one.value for one in trials(storage)]
    assert told == pytest.approx([easy.mean() + a for a in (0.8, 0.1, 0.9)]), "an easy start is no better value"


def test_the_trial_of_another_machine_is_kept_until_it_shows_no_life(tmp_path, monkeypatch):
    storage = open_storage(tmp_path)
    study = optuna.create_study(study_name="toy", storage=storage, direction="maximize")
    study.enqueue_trial({}, user_attrs={"place": 0, WORKER: "elsewhere 1"})
    study.enqueue_trial({}, user_attrs={"place": 1})
    with storage_module.quiet():
        study.ask()
        study.ask()

    fail_dead(study)
    assert [RUNNING, RUNNING] == [one.state for one in trials(storage)]

    monkeypatch.setattr(storage_module, "STALE", -1)  # a process that died before it could name itself
    fail_dead(study)
    assert [RUNNING, FAIL] == [one.state for one in trials(storage)]


def test_no_trial_is_lost_or_doubled_when_one_of_two_processes_is_killed(tmp_path):
    storage = open_storage(tmp_path)
    children = [process(tmp_path), process(tmp_path)]
    wait_until(lambda: busy(storage, children[0]), children[0])
    children[0].kill()

    assert -signal.SIGKILL == children[0].wait()
    assert 0 == children[1].wait()
    assert 1 >= len(check_each_place_is_done_once(storage))
    assert 2 == len(workers(storage)), "both have worked"
    storage.engine.dispose()


def test_one_of_two_takes_a_trial_that_both_see_waiting(tmp_path):
    first, second = open_storage(tmp_path), open_storage(tmp_path)
    optuna.create_study(study_name="toy", storage=first).enqueue_trial({})
    (trial,) = trials(first)
    taken = []
    other = Thread(target=lambda: taken.append(second.set_trial_state_values(trial._trial_id, RUNNING)))

    def let_the_other_try(_connection, _cursor, statement, *_):
        if statement.startswith("UPDATE trials") and not other.is_alive() and not taken:
            other.start()
            other.join(1)  # it ends here only if it could read between our reading and our writing

    event.listen(first.engine, "before_cursor_execute", let_the_other_try)
    taken.append(first.set_trial_state_values(trial._trial_id, RUNNING))
    other.join()

    assert [False, True] == sorted(taken)
    first.engine.dispose()
    second.engine.dispose()


@pytest.fixture
def postgresql():
    """The URL of a PostgreSQL server of this test's own, on a socket."""
    if not POSTGRESQL:
        pytest.skip("PostgreSQL is not installed: `apt-get install postgresql`")
    pytest.importorskip("psycopg")
    home = Path(tempfile.mkdtemp(prefix="pg"))  # a socket's path is short
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
    if user:
        shutil.chown(home, "postgres", "postgres")
    programs, data = POSTGRESQL[-1], home / "data"
    subprocess.run([programs / "initdb", "-D", data, "-A", "trust", "-U", "test", "-N"], check=True, cwd=home,
                   stdout=subprocess.DEVNULL, **user)  # fmt: skip
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, "-k", home, "-c", "listen_addresses=", "-c", "fsync=off"], cwd=home,
        stderr=subprocess.DEVNULL, **user,
    )  # fmt: skip
    ready = [programs / "pg_isready", "-h", home, "-q"]
    wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, server)
    yield f"postgresql://test@/postgres?host={home}"
    server.send_signal(signal.SIGQUIT)
    server.wait()
    shutil.rmtree(home)


def test_four_processes_share_postgresql_and_one_is_killed(tmp_path, postgresql):
    children = [process(tmp_path, postgresql, seconds=0.3) for _ in range(4)]
    storage = open_storage(tmp_path, postgresql)
    wait_until(lambda: busy(storage, children[0]), children[0])
    children[0].kill()

    assert -signal.SIGKILL == children[0].wait()
    assert [0, 0, 0] == [child.wait() for child in children[1:]]
    check_each_place_is_done_once(storage)
    assert 4 == len(workers(storage))
    storage.engine.dispose()


def test_a_url_that_is_none_is_refused(tmp_path):
    with pytest.raises(StudyError, match="is no URL of a database"):
        open_storage(tmp_path, "nowhere")


def test_without_optuna_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)

    with pytest.raises(StudyError, match=r"dyntemp\[tune\]"):
        open_storage(tmp_path)
