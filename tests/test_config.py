"""Run files: what is shipped loads, what is wrong is refused with the field named, and nothing is converted."""

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config
from proseform.errors import ConfigError

REFUSED = [
    ("", "No run ''", "nothing at all"),
    ("nope", "No run 'nope'; shipped: default, own, small, smollm2, smollm2-real", "no such name and no such file"),
    ("a" * 300, "No run 'aaa", "a name that is too long to be a file"),
    ("a\0b", "No run", "a name that cannot be a file"),
    ("name = \n", "not TOML", "a line that was left unfinished"),
    ("[grpo]\n", "name: field required", "a run without a name"),
    ("name = 3\n", "name: input should be a valid string", "a number for a name"),
    ("name = 'x'\nsteps = 3\n", "steps: unknown key", "a key in the wrong place"),
    (
        "name = 'x'\n[grpo]\nstep = 3\n",
        "grpo.step: unknown key. There are: steps,",
        "a misspelt key; the right ones are named",
    ),
    (
        "name = 'x'\n[sft.evaluator.lora]\nrank = 3\n",
        "sft.evaluator.lora.rank: unknown key. There are: r, alpha",
        "three tables down",
    ),
    (
        "name = 'x'\n[register]\nmodel = 'y'\n",
        "register.model: unknown key. There are: name",
        "a table with a name of its own in Python",
    ),
    ("name = 'x'\ngrpo = 3\n", "grpo: ", "a number in place of a table"),
    (
        "name = 'x'\n[grpo]\nsteps = -1\n",
        "grpo.steps: input should be greater than or equal to 0 (given: -1)",
        "a negative count",
    ),
    ("name = 'x'\n[grpo]\nsteps = 2.0\n", "grpo.steps: ", "a float for a count"),
    (
        "name = 'x'\n[grpo.signal]\nresampling = 3\n",
        "grpo.signal.resampling: unknown key. There are: resample, rounds",
        "a method that there is not",
    ),
    (
        "name = 'x'\n[grpo.signal.resample]\nbudget = 0.5\n",
        "grpo.signal.resample.budget: input should be greater than or equal to 1",
        "a budget that leaves a step without its prompts",
    ),
    ("name = 'x'\n[formatter]\nname = './t5'\n", "formatter.name: a causal formatter starts from", "a base of no kind"),
    (
        "name = 'x'\n[formatter]\nkind = 'rnn'\n",
        "formatter.kind: input should be 'causal' or 'seq2seq'",
        "a third kind",
    ),
    (
        "name = 'x'\n[grpo]\ndecoupled = true\n[grpo.signal.rounds]\n",
        "grpo.signal.rounds: its advantages are a prompt's own",
        "two normalisations of one group",
    ),
    ("name = 'x'\n[grpo.signal.skeleton]\n", "grpo.signal.skeleton: prose has no skeleton", "keys of prose"),
    (
        "name = 'x'\n[grpo.generation]\ntensor_parallel = 2\n",
        'grpo.generation.tensor_parallel: is for vLLM, and grpo.generation.engine is "in-process"',
        "a knob of vLLM without vLLM",
    ),
    (
        "name = 'x'\n[grpo.generation]\nengine = 'vllm-colocate'\nurl = 'http://a'\n",
        "grpo.generation.url: is for",
        "the address of what lies within",
    ),
    (
        "name = 'x'\n[grpo]\ngeneration.engine = 'vllm-server'\n[grpo.signal.gold]\n",
        "grpo.signal.gold: trains on completions that vLLM has not sampled",
        "gold has no probability by vLLM",
    ),
    (
        "name = 'x'\n[grpo]\ngeneration.engine = 'vllm-server'\n[grpo.signal.replay]\n",
        "grpo.signal.replay: trains on completions that vLLM has not sampled",
        "nor has what an earlier step has sampled",
    ),
    (
        "name = 'x'\n[grpo.generation]\nengine = 'vllm-server'\n[launch]\ndevice = 'cpu'\n",
        'gets its weights by NCCL, from a GPU; launch.device is "cpu"',
        "weights travel by NCCL",
    ),
    (
        "name = 'x'\n[grpo.generation]\nengine = 'vllm-server'\n[model]\nquantize = '4bit'\n",
        'gets whole weights; model.quantize is "4bit"',
        "and whole",
    ),
    (
        "name = 'x'\n[grpo.generation]\nengine = 'vllm-colocate'\ntensor_parallel = 3\n[launch]\nprocesses = 2\n",
        "grpo.generation.tensor_parallel: the 2 processes of launch.processes do not divide into groups of 3",
        "a group that lacks one",
    ),
    *(
        (
            f"name = 'x'\n[grpo]\n{knobs}\n[grpo.signal.form]\n",
            "grpo.signal.form: form has to be told from content",
            "one number, or terms that mix both",
        )
        for knobs in (
            "",
            "reward = 'json'",
            "reward = 'json'\nrubric = 'shaped'",
            "reward = 'json'\nrubric = 'think'\ndecoupled = true",
        )
    ),
    ("name = 'x'\n[grpo]\nsteps = '2'\n", "grpo.steps: ", "a text for a count"),
    ("name = 'x'\n[grpo]\nsteps = true\n", "grpo.steps: ", "true is not 1"),
    ("name = 'x'\n[grpo]\ngenerations = 1\n", "grpo.generations: ", "a group of one teaches nothing"),
    ("name = 'x'\n[grpo]\nbeta = nan\n", "grpo.beta: ", "TOML has nan"),
    ("name = 'x'\n[grpo]\ntemperature = inf\n", "grpo.temperature: ", "and inf"),
    ("name = 'x'\n[grpo]\nlearning_rate = 1\n", "grpo.learning_rate: ", "a rate of 1"),
    ("name = 'x'\n[grpo]\nloss = 'ppo'\n", "grpo.loss: ", "not one of the choices"),
    (
        "name = 'x'\n[gate]\nformatter_exact = {at_least = 97}\n",
        "gate.formatter_exact.at_least: ",
        "a percentage where a share is meant",
    ),
    ("name = 'x'\n[gate]\nformatter_exact = 0.97\n", "gate.formatter_exact: ", "a number says no direction"),
    ("name = 'x'\n[gate]\nlift = {at_least = 0, at_most = 1}\n", "gate.lift: ", "a check looks one way"),
    ("name = 'x'\n[gate]\nlift = {at_least = 0.1, cases = 0}\n", "gate.lift.cases: ", "nothing was measured"),
    ("name = 'x'\n[gate]\nlift = {by = 'feeling'}\n", "gate.lift.by: ", "not one of the choices"),
    ("name = 'x'\n[gate]\nreward = {at_least = 0.5}\n", "gate.reward: ", "no figure of the report"),
    ("name = 'x'\n[evaluate]\nlevels = 'junior'\n", "evaluate.levels: ", "one text where a list is meant"),
    ("name = 'x'\n[launch]\nprocesses = 0\n", "launch.processes: ", "nobody to do the work"),
    (
        "name = 'x'\n[grpo]\nmax_tokens = 9\n",
        "grpo.max_tokens: unknown key. It is generation.evaluator.max_tokens now",
        "a key that has moved",
    ),
    (
        "name = 'x'\n[evaluate]\nformatter_tokens = 9\n",
        "evaluate.formatter_tokens: unknown key. It is generation.formatter.max_tokens now",
        "another one",
    ),
    (
        "name = 'x'\n[model]\nmax_length = 384\n",
        "generation.formatter.max_tokens: 384 tokens leave no prompt in the 384 of model.max_length",
        "a completion as long as the context",
    ),
    ("extends = 'nope'\n", "No run 'nope'", "a parent that does not exist"),
    ("extends = 3\n", "No run '3'", "a parent that is no name"),
]


REFUSED_PLACES = [
    ("nope", "No place 'nope'; shipped: default", "no such name and no such file"),
    (
        "[jobs]\nnode = 2\n",
        "place: jobs.node: unknown key. There are: node_selector, tolerations, annotations, kind, nodes",
        "misspelt",
    ),
    ("[jobs]\ncpu = 'many'\n", "place: jobs.cpu: ", "no quantity of Kubernetes"),
    ("namespace = 'My_Team'\n", "place: namespace: ", "no name of Kubernetes"),
    ("[cluster.jobs]\nnodes = 2\n", "place: cluster: unknown key", "the table of a run file of before"),
    ("[[jobs.tolerations]]\nkee = 'a'\n", "There are: key, value, effect", "a key within a list"),
    ("{", "place: not JSON", "JSON that was cut off"),
    ("[1]\n[2]", "place: ", "no table"),
]


@pytest.mark.parametrize(("text", "words", "why"), REFUSED_PLACES, ids=[why for _, _, why in REFUSED_PLACES])
def test_a_place_that_is_refused_and_why(text, words, why):
    with pytest.raises(ConfigError) as caught:
        config.PLACES.load(text)
    assert words in str(caught.value)


@pytest.mark.parametrize("table", ["[cluster]\nclaim = 'a'\n", "[cluster.jobs]\nnodes = 2\n"])
def test_a_run_with_a_cluster_in_it_is_told_where_that_belongs_now(table):
    with pytest.raises(ConfigError) as caught:
        config.load(f"extends = 'small'\n{table}")
    assert "cluster: unknown key" in str(caught.value)
    assert "--place FILE" in caught.value.hint


@pytest.mark.parametrize("name", config.PLACES.shipped())
def test_a_shipped_place_loads_by_name_and_says_what_it_is(name):
    assert config.PLACES.load(name).description


def test_the_default_place_is_the_defaults():
    assert config.PLACES.load("default") == config.Place(description=config.PLACES.load("default").description)


def test_what_travels_needs_no_other_file(tmp_path):
    """A file that extends another is sent merged; shipped names stay, since every machine knows them."""
    (tmp_path / "base.toml").write_text("extends = 'default'\nclaim = 'ours'\n[jobs]\nnodes = 4\n")
    (tmp_path / "mine.toml").write_text(f"extends = '{tmp_path}/base.toml'\n[jobs]\ngpus = 8\n")
    path = str(tmp_path / "mine.toml")
    sent = config.PLACES.portable(path)
    assert config.PLACES.load(sent) == config.PLACES.load(path)
    assert str(tmp_path) not in sent
    assert config.PLACES.load(sent).jobs.nodes == 4
    assert config.PLACES.portable("default") == "default"
    assert config.PLACES.portable(str(tmp_path / "base.toml")) == (tmp_path / "base.toml").read_text()


def test_the_place_takes_half_of_the_knobs_out_of_run_files():
    """Printed by `proseform knobs run` and `proseform knobs place`; a knob is in one of the two."""
    run, place = (list(config.knobs(kind)) for kind in (config.Run, config.Place))
    methods = [path for path, _, _ in run if path.startswith("grpo.signal.")]  # all off where a run is silent
    engine = [path for path, _, _ in run if path.startswith("grpo.generation.")]  # and so is vLLM
    assert len(methods) <= 12
    assert len(engine) <= 5
    # Of the rest, 28 say how sure the seven checks of the gate must be, and two name weights to begin with.
    assert len(run) - len(methods) - len(engine) <= 148
    assert len({path for path, _, _ in run}) == len(run)
    assert len({path for path, _, _ in place}) == len(place)
    assert all(sentence.endswith((".", ")")) for _, _, sentence in [*run, *place])


@pytest.mark.parametrize(("text", "words", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
def test_what_is_refused_and_why(text, words, why):
    with pytest.raises(ConfigError) as caught:
        config.load(text)
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "run.toml").write_bytes(b"name = '\xff'\n")
    with pytest.raises(ConfigError, match=r"run\.toml: is no text"):
        config.load(str(tmp_path / "run.toml"))


def test_several_faults_are_counted():
    with pytest.raises(ConfigError, match="and 1 more"):
        config.load("name = 'x'\n[grpo]\nsteps = -1\ngenerations = 0\n")


@pytest.mark.parametrize("name", config.shipped())
def test_a_shipped_run_loads_by_name_and_carries_it(name):
    run = config.load(name)
    assert run.name == name
    assert run.description


@pytest.mark.parametrize("name", config.shipped())
def test_a_run_travels_as_json_and_stays_itself(name):
    run = config.load(name)
    again = config.Run.model_validate(run.model_dump(mode="json", by_alias=True))
    assert again == run
    assert again.digest == run.digest


def test_a_path_loads_as_its_text_does(tmp_path):
    text = (resources.files("proseform.runs") / "small.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    assert config.load(str(tmp_path / "mine.toml")) == config.load(text) == config.load("small")


def test_extends_states_only_what_differs():
    run = config.load("extends = 'small'\nname = 'mine'\n[grpo]\nsteps = 7\n")
    small = config.load("small")
    assert run.grpo.steps == 7
    assert run.grpo.learning_rate == small.grpo.learning_rate
    assert run.sft == small.sft
    assert run.digest != small.digest


def test_a_circle_of_extends_is_named(tmp_path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text(f"extends = '{two}'\nname = 'one'\n")
    two.write_text(f"extends = '{one}'\nname = 'two'\n")
    with pytest.raises(ConfigError, match="extends itself by way of"):
        config.load(str(one))


def test_a_run_cannot_be_changed():
    with pytest.raises(Exception, match="frozen"):
        config.load("small").grpo.steps = 3


def sections(model, path=()):
    """Every field of every table."""
    for name, field in model.model_fields.items():
        yield (*path, name), field
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if hasattr(kind, "model_fields"):
                yield from sections(kind, (*path, name))


EVERY = [*sections(config.Run), *sections(config.Place)]


@pytest.mark.parametrize(("path", "field"), EVERY, ids=[".".join(path) for path, _ in EVERY])
def test_every_knob_has_its_sentence(path, field):
    """Help, docs and MLflow parameters are derived from it."""
    described = field.description or getattr(field.annotation, "__doc__", "")
    assert described
    assert described.strip().endswith((".", ")", "keeps it.")), described


@given(st.text(max_size=60))
def test_any_text_is_a_run_or_a_config_error(text):
    try:
        config.load(f"name = 'x'\n{text}")
    except ConfigError:
        return
    tomllib.loads(text)
