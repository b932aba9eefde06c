"""An image that is written is the image of the OCI specification, byte for byte the same every time."""

import hashlib
import io
import json
import os
import tarfile

import pytest

from tests.cluster import images
from tests.cluster.programs import PAUSE

NAME = "proseform.local/toy:1"


def layer(text=b"hello", mtime=0):
    """A layer of one file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        about = tarfile.TarInfo("hello.txt")
        about.size, about.mtime = len(text), mtime
        tar.addfile(about, io.BytesIO(text))
    return file


def written(of=None, name=NAME, settings=None):
    """The layout as a mapping of its files, its bytes, and the digest that was told."""
    out = io.BytesIO()
    digest = images.write_layout(of or layer(), name, settings or {"User": "65532"}, out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar.getmembers() if member.isfile()}
    return files, out.getvalue(), digest


def test_every_blob_has_the_digest_and_the_size_that_its_descriptor_says():
    files, _, digest = written()
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["digest"] == digest
    manifest = json.loads(files["blobs/" + digest.replace(":", "/")])
    for descriptor in (entry, manifest["config"], *manifest["layers"]):
        blob = files["blobs/" + descriptor["digest"].replace(":", "/")]
        assert hashlib.sha256(blob).hexdigest() == descriptor["digest"].removeprefix("sha256:")
        assert len(blob) == descriptor["size"]
    assert len(files) == 2 + 3


def test_the_config_names_the_layer_by_its_content_and_carries_the_settings():
    files, _, digest = written()
    manifest = json.loads(files["blobs/" + digest.replace(":", "/")])
    config = json.loads(files["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert config["config"] == {"User": "65532"}
    assert config["os"] == "linux"


def test_equal_inputs_give_equal_bytes_and_other_content_another_digest():
    assert written()[1] == written()[1]
    assert written()[2] != written(layer(b"other"))[2]
    assert written()[2] != written(settings={"User": "0"})[2]
    assert written()[2] == written(name="proseform.local/toy:2")[2], "the name is no part of the image"


def test_the_name_stands_where_containerd_looks_for_it():
    files, _, _ = written()
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["annotations"] == {"io.containerd.image.name": NAME}


@pytest.mark.parametrize(
    "name",
    [
        "toy:1",  # no host: a kubelet would look for it in another place
        "proseform/toy:1",  # the first part is no host
        "proseform.local/toy",  # no tag
        "proseform.local/toy@sha256:00",  # a digest is told, not asked for
        "",
    ],
)
def test_a_name_that_the_node_would_not_find_is_refused(name):
    with pytest.raises(ValueError, match="is no name of an image"):
        images.load_layer(layer(), name, {})


def test_a_folder_becomes_the_same_layer_whoever_made_it_and_whenever(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/run").write_text("x")
    digests = []
    for time in (1, 2):
        os.utime(tmp_path / "bin/run", (time, time))
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(tmp_path, arcname=".", filter=images._settled)
        digests.append(written(file)[2])
    assert digests[0] == digests[1]


def test_the_images_of_the_cluster_itself_are_tagged_with_what_they_were_built_from():
    assert images.name_of(PAUSE) == f"proseform.local/pause:{PAUSE.key}"
