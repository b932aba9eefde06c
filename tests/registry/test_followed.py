"""A server that follows the registry: a promotion and its rollback reach its callers without a restart."""

from dataclasses import replace

import pytest

from proseform import registry, testing
from proseform.errors import ConfigError, RegistryError
from proseform.infer.spec import EngineSpec
from proseform.registry import aliases, attachments, models
from proseform.serve.following import Follower
from proseform.stages import engine as engines
from tests.serve.light import INPUTS, light, post
from tests.waiting import until

TASK = testing.toy_task()


@pytest.fixture
def promoted(mlflow, home, name, verdict, tmp_path, monkeypatch):
    """Makes a bundle of random weights the champion; gives its digest."""
    monkeypatch.setenv("PROSEFORM_HOME", str(home))

    def make(seed):
        folder = testing.random_bundle(tmp_path / str(seed), TASK, seed=seed)
        version = models.register(mlflow, folder, name=name)
        attachments.judge(mlflow, version, verdict(version.bundle))
        return aliases.promote(mlflow, name, version.version).bundle

    return make


def test_a_promotion_and_its_rollback_reach_callers_without_a_restart(mlflow, name, promoted):
    first = promoted(1)
    spec = EngineSpec()
    (champion,) = engines.weighted(TASK, spec, None, ["champion=3"], name, "")
    assert (champion.alias, champion.weight, champion.engine.bundle.digest) == ("champion", 3, first)
    source = engines.followed(TASK, spec, None, ["champion=3"], name, "")
    assert source.bundles() == {"champion": first}

    def beside(admission):
        admission.router.use([champion])
        return Follower(admission, source, every_s=0.05)

    with light(engine=champion.engine, alongside=[beside]) as serving:

        def answered():
            status, headers, _ = post(serving.line(), "/v1/tasks/toy/answer", {"inputs": INPUTS})
            assert status in {200, 422}, "random weights may write what is refused"
            return headers["x-proseform-bundle"]

        assert answered() == first
        second = promoted(2)
        until(lambda: answered() == second)
        aliases.rollback(mlflow, name)
        until(lambda: answered() == first)


def test_a_registry_without_the_model_is_told(home, monkeypatch):
    monkeypatch.setenv("PROSEFORM_HOME", str(home))
    assert registry.model_name("toy") == "proseform-toy"
    with pytest.raises(RegistryError):
        engines.followed(TASK, EngineSpec(), None, ["champion"], "proseform-nobody", "").bundles()


def test_what_cannot_move_is_not_followed(tmp_path):
    with pytest.raises(ConfigError, match="--bundle"):
        engines.followed(TASK, EngineSpec(), tmp_path, ["champion"], "", "")
    with pytest.raises(ConfigError, match="--engine"):
        engines.followed(TASK, replace(EngineSpec(), url="http://far.test"), None, ["champion"], "", "")
