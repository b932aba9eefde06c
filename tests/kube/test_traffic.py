"""Traffic between versions: the weights of one route, which sum to 100."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proseform import config
from proseform.errors import InputError
from proseform.kube import traffic
from tests.kube.schemas import faults

PLACE = config.Place.model_validate({"namespace": "here"})
SERVICES = {"1": "proseform-toy-v1-transformer", "2": "proseform-toy-v2-formatter-transformer"}


def route(weights: dict[str, Any], place: config.Place = PLACE) -> dict[str, Any]:
    return traffic.route("toy", "proseform-toy", SERVICES, weights, place)


@pytest.mark.parametrize("hostname", ["", "judge.example.org"])
def test_the_gateway_api_knows_every_field(hostname: str) -> None:
    place = config.Place.model_validate({"serving": {"hostname": hostname}})
    assert faults(route({"1": 90, "2": 10}, place)) == []


def test_a_field_that_nobody_knows_is_found() -> None:
    """The strict schema can fail."""
    http_route = route({"1": 100})
    http_route["spec"]["rules"][0]["backendRefs"][0]["weigth"] = 3
    assert "weigth" in faults(http_route)[0]


def test_weights_are_those_of_the_versions_services() -> None:
    http_route = route({"1": 90, "2": 10})
    assert http_route["spec"]["rules"][0]["backendRefs"] == [
        {"name": SERVICES["1"], "port": 80, "weight": 90},
        {"name": SERVICES["2"], "port": 80, "weight": 10},
    ]
    assert traffic.weights(http_route, SERVICES) == {"1": 90, "2": 10}


def test_a_version_without_a_weight_stands_ready_in_the_route() -> None:
    assert traffic.weights(route({"2": 100}), SERVICES) == {"1": 0, "2": 100}


def test_rollback_is_one_patch_that_changes_nothing_but_the_rules() -> None:
    back = traffic.patch("toy", "proseform-toy", SERVICES, {"1": 100}, PLACE)
    assert list(back) == ["spec"]
    assert list(back["spec"]) == ["rules"]
    whole = {**route({"2": 100}), "spec": {**route({"2": 100})["spec"], **back["spec"]}}
    assert whole == route({"1": 100})


def test_only_what_clients_ask_is_let_through() -> None:
    paths = {match["path"]["value"] for match in route({"1": 100})["spec"]["rules"][0]["matches"]}
    assert paths == {
        "/v1/tasks/toy/answer",
        "/v1/models/proseform-toy",
        "/v1/models/proseform-toy:predict",
        "/v2/models/proseform-toy",
    }


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({}, "sum to 0"),
        ({"1": 90}, "sum to 90"),
        ({"1": 90, "2": 20}, "sum to 110"),
        ({"1": 110, "2": -10}, "at least 0"),
        ({"1": 99.5, "2": 0.5}, "whole numbers"),
        ({"1": True, "2": 99}, "whole numbers"),
        ({"3": 100}, "No version 3 is deployed; deployed: 1, 2"),
    ],
)
def test_weights_that_are_none_are_refused(weights: dict[str, Any], words: str) -> None:
    for make in (route, lambda weights: traffic.patch("toy", "proseform-toy", SERVICES, weights, PLACE)):
        with pytest.raises(InputError, match=words):
            make(weights)


@given(st.dictionaries(st.sampled_from("12345"), st.integers(0, 100)), st.floats(0, 1))
def test_shares_always_sum_to_a_hundred(current: dict[str, int], share: float) -> None:
    split = traffic.shares("3", current, share)
    assert sum(split.values()) == 100
    assert min(split.values()) >= 0
    assert set(split) == {*current, "3"}
    if sum(weight for version, weight in current.items() if version != "3"):
        assert split["3"] == round(100 * share)
    assert traffic.shares("3", split, share) == split or split["3"] == 100  # promoting again changes nothing


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({}, "no gateway has taken it"),
        (
            {"parents": [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 1}]}]},
            "no gateway has taken it",
        ),
        ({"parents": [{"conditions": [{"type": "Accepted", "status": "True", "observedGeneration": 2}]}]}, ""),
        (
            {
                "parents": [
                    {
                        "conditions": [
                            {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "no x"}
                        ]
                    }
                ]
            },
            "BackendNotFound: no x",
        ),
    ],
    ids=["silence", "of before", "taken", "refused"],
)
def test_what_a_gateway_says_of_a_route_is_read(status: dict[str, Any], words: str) -> None:
    assert traffic.trouble({"metadata": {"generation": 2}, "status": status}) == words


def test_a_gateway_waits_longer_than_the_transformer_works() -> None:
    place = config.Place.model_validate({"serving": {"transformer": {"timeout_s": 300}}})
    http_route = route({"1": 100}, place)
    assert http_route["spec"]["rules"][0]["timeouts"] == {"request": "305s"}
    assert faults(http_route) == []


def test_an_ipv6_address_stands_in_brackets() -> None:
    gateway = {
        "spec": {"listeners": [{"protocol": "HTTP", "port": 80}]},
        "status": {"addresses": [{"value": "fd00::7"}]},
    }
    assert traffic.address(gateway) == "http://[fd00::7]:80"


def test_the_address_is_the_gateways_own() -> None:
    gateway = {
        "spec": {"listeners": [{"protocol": "HTTP", "port": 8000}]},
        "status": {"addresses": [{"value": "10.0.0.7"}]},
    }
    assert traffic.address(gateway) == "http://10.0.0.7:8000"
    assert traffic.address({"spec": gateway["spec"]}) == ""
