"""The settings of each part: only the cluster's folder, its bridge and loopback, and what a bare machine needs."""

import ipaddress
import json
import re
import tomllib

import pytest
import yaml

from tests.cluster import (
    addons,
    cluster,
    control_plane,
    gateway,
    images,
    machine,
    network,
    node,
    places,
    programs,
    runtime,
)
from tests.cluster.places import BRIDGE, HOST, PODS, SERVICES


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """A state folder of our own, in every module that names it."""
    places_of = {
        "STATE": tmp_path,
        "PKI": tmp_path / "pki",
        "KUBECONFIG": tmp_path / "kubeconfig",
        "ROOT": tmp_path / "containerd",
    }
    places_of |= {
        "SOCKET": tmp_path / "containerd/containerd.sock",
        "PLUGINS": tmp_path / "cni",
        "AUTHORITY": tmp_path / "pki/apiserver.crt",
    }
    for module in (addons, cluster, control_plane, gateway, machine, network, node, runtime):
        for name, path in places_of.items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, path)
    control_plane.prepare()
    return tmp_path


@pytest.fixture
def argv(state):
    """Part to its command."""
    return {name: make().argv for name, (_, make) in cluster.PARTS.items()}


def test_every_address_that_a_part_listens_at_is_loopback_or_the_bridges(argv, state):
    told = " ".join(word for words in argv.values() for word in words) + (state / "Corefile").read_text()
    told += json.dumps([node.kubelet_settings(), node.kube_proxy_settings(), network.plugins()])
    addresses = set(re.findall(r"\d+\.\d+\.\d+\.\d+", told))
    assert addresses <= {"127.0.0.1", HOST, PODS.partition("/")[0], SERVICES.partition("/")[0], "0.0.0.0"}
    assert '"dst": "0.0.0.0/0"' in told, "the one is the route of pods"
    assert told.count("0.0.0.0") == 1


def test_pods_services_and_host_do_not_overlap():
    pods, services = ipaddress.ip_network(PODS), ipaddress.ip_network(SERVICES)
    assert not pods.overlaps(services)
    assert ipaddress.ip_address(HOST) in pods


def test_every_file_that_a_part_is_told_of_lies_in_the_state_folder_or_the_cache(argv, state):
    paths = {path for words in argv.values() for word in words for path in re.findall(r"(?:^|=)(/\S*)", word)}
    assert paths
    strange = {path for path in paths if not path.startswith((str(state), str(places.CACHE)))}
    assert strange == set()


def test_tokens_are_private_and_every_kubeconfig_carries_its_own(state):
    rows = [row.split(",") for row in (state / "pki/tokens.csv").read_text().splitlines()]
    assert len({row[0] for row in rows}) == len(rows) == 7
    for path in [
        *state.glob("pki/*.token"),
        *state.glob("pki/*.kubeconfig"),
        state / "pki/tokens.csv",
        state / "kubeconfig",
    ]:
        assert path.stat().st_mode & 0o077 == 0, path
    (admin,) = (row for row in rows if row[1] == "kubernetes-admin")
    assert yaml.safe_load((state / "kubeconfig").read_text())["users"][0]["user"]["token"] == admin[0]


def test_secrets_are_made_once(state):
    before = (state / "pki/tokens.csv").read_text()
    control_plane.prepare()
    assert (state / "pki/tokens.csv").read_text() == before


def test_the_api_server_authorises_by_role_and_keeps_pod_security_on(argv):
    told = argv["kube-apiserver"]
    assert "--authorization-mode=Node,RBAC" in told
    assert not [word for word in told if word.startswith("--disable-admission-plugins")], "PodSecurity is on by itself"


def test_controllers_act_as_their_own_service_accounts(argv):
    assert "--use-service-account-credentials=true" in argv["kube-controller-manager"], "else RBAC refuses them"


def test_the_runtime_runs_without_the_right_to_lower_its_oom_score_and_keeps_to_its_folder(state):
    told = tomllib.loads(runtime.configuration("proseform.local/pause:1"))
    cri = told["plugins"]["io.containerd.grpc.v1.cri"]
    assert cri["restrict_oom_score_adj"] is True
    assert cri["sandbox_image"] == "proseform.local/pause:1"
    paths = [
        told["root"],
        told["state"],
        told["grpc"]["address"],
        told["plugins"]["io.containerd.internal.v1.opt"]["path"],
    ]
    paths += [cri["cni"]["conf_dir"], cri["containerd"]["runtimes"]["runc"]["options"]["Root"]]
    assert all(path.startswith(str(state)) for path in paths)


def test_the_kubelet_makes_no_iptables_rules_which_nobody_would_take_back():
    assert node.kubelet_settings()["makeIPTablesUtilChains"] is False


def test_the_node_takes_control_groups_of_both_versions_and_a_machine_with_swap():
    told = node.kubelet_settings()
    assert (told["failCgroupV1"], told["failSwapOn"], told["cgroupDriver"]) == (False, False, "cgroupfs")


def test_flows_between_pods_of_one_bridge_are_masqueraded():
    told = node.kube_proxy_settings()
    assert told["mode"] == "nftables"
    assert told["nftables"]["masqueradeAll"] is True
    assert network.plugins()["plugins"][0]["bridge"] == BRIDGE


def test_the_gateway_takes_changes_up_faster_than_its_two_seconds(argv):
    assert "--providers.providersthrottleduration=200ms" in argv["traefik"]


def test_the_init_container_passes_restricted_and_waits_for_the_master():
    told = addons.init_container()
    assert told["args"] == ["{{.MasterAddr}}"]
    context = told["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] == images.NOBODY > 0
    assert context["allowPrivilegeEscalation"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_a_webhook_and_a_conversion_are_made_to_trust_our_certificate():
    webhook = {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {},
        "webhooks": [{"clientConfig": {"service": {}}}],
    }
    definition = {
        "kind": "CustomResourceDefinition",
        "metadata": {},
        "spec": {"conversion": {"webhook": {"clientConfig": {}}}},
    }
    plain = {"kind": "CustomResourceDefinition", "metadata": {}, "spec": {"conversion": {"strategy": "None"}}}
    for one in (webhook, definition, plain):
        addons._trust(one, "Y2E=")
    assert webhook["webhooks"][0]["clientConfig"] == {"service": {}, "caBundle": "Y2E="}
    assert definition["spec"]["conversion"]["webhook"]["clientConfig"] == {"caBundle": "Y2E="}
    assert plain["spec"]["conversion"] == {"strategy": "None"}


def test_a_program_that_only_tests_of_images_need_is_installed_too():
    assert {"debootstrap", "buildah"} <= set(machine.PACKAGES)


def test_each_program_that_runs_on_the_host_is_one_that_is_built(argv):
    built = {str(program.path) for program in programs.ALL}
    assert {words[0] for words in argv.values()} - built == {"containerd"}
