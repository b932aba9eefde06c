"""Texts beside a registered bundle: reports, and the verdict of its gate."""

import pytest

from proseform import digest
from proseform.errors import RegistryError
from proseform.registry import attachments, models


def test_a_verdict_is_filed_with_its_report_and_comes_back(mlflow, artifacts, name, bundles, verdict):
    version = models.register(mlflow, bundles(1), name=name)
    assert attachments.verdict(mlflow, version) is None
    filed = verdict(version.bundle)
    attachments.judge(mlflow, version, filed, {"report.html": "<p>fine</p>"})
    again = models.get(mlflow, name, version.version)
    assert attachments.verdict(mlflow, again) == filed
    assert again.tags["proseform.gate"] == "open"
    assert again.tags["proseform.report"] == filed.report
    assert (artifacts(version) / "report.html").read_text() == "<p>fine</p>"
    closed = verdict(version.bundle, is_open=False)
    attachments.judge(mlflow, again, closed)
    assert models.get(mlflow, name, version.version).tags["proseform.gate"] == "closed"
    assert attachments.verdict(mlflow, models.get(mlflow, name, version.version)) == closed


def test_a_verdict_of_another_bundle_is_not_filed(mlflow, name, bundles, verdict):
    version = models.register(mlflow, bundles(1), name=name)
    with pytest.raises(RegistryError, match="the verdict is of"):
        attachments.judge(mlflow, version, verdict(digest.of_json("other")))


def test_a_verdict_that_was_altered_is_found_out(mlflow, artifacts, name, bundles, verdict):
    version = models.register(mlflow, bundles(1), name=name)
    attachments.judge(mlflow, version, verdict(version.bundle, is_open=False))
    path = artifacts(version) / attachments.VERDICT
    path.write_text(path.read_text().replace('"open": false', '"open": true'))
    with pytest.raises(RegistryError, match=r"gate\.json was altered\. Run the gate again"):
        attachments.verdict(mlflow, models.get(mlflow, name, version.version))


def test_what_was_attached_comes_back_and_a_later_one_replaces_it(mlflow, name, bundles):
    version = models.register(mlflow, bundles(1), name=name)
    for text in ("first", "second: ä"):
        attachments.attach(mlflow, version, {"report.json": text, "report.html": "<p>"})
        assert attachments.read(mlflow, version, "report.json") == text


def test_what_was_never_attached_is_an_error_of_ours(mlflow, name, bundles):
    version = models.register(mlflow, bundles(1), name=name)
    with pytest.raises(RegistryError, match=r"report\.json"):
        attachments.read(mlflow, version, "report.json")


def test_a_verdict_whose_file_is_gone_does_not_open_anything(mlflow, artifacts, name, bundles, verdict):
    version = models.register(mlflow, bundles(1), name=name)
    judged = attachments.judge(mlflow, version, verdict(version.bundle))
    (artifacts(version) / attachments.VERDICT).unlink()
    with pytest.raises(RegistryError, match=r"gate\.json"):
        attachments.verdict(mlflow, judged)
