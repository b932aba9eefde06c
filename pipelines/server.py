"""Submitting a pipeline to a KFP server: it is compiled, sent with its parameters, and started.

Left out: uploading pipelines under names and versions. Tested against answers written by the API's description, not a
server.
"""

import tempfile
from pathlib import Path

import kfp
import kfp_server_api
from urllib3.exceptions import HTTPError

from pipelines import cluster
from proseform import config
from proseform.errors import ClusterError


def submit(
    what: str, run: str, place: str, arguments: dict[str, str], host: str, namespace: str = "", token: str = ""
) -> str:
    """Send a pipeline to a KFP server; the run's id.

    Args:
        what: ``train`` or ``promote``.
        run: A run's name, path or TOML text.
        place: A place's name, path or TOML text.
        arguments: The pipeline's parameters.
        host: The server's URL.
        namespace: The profile's namespace of a server with many users; empty for one without.
        token: The bearer token; may be empty.

    Raises:
        ConfigError: As :func:`pipelines.cluster.write`.
        ClusterError: The server does not answer, or refuses.
    """
    account = config.PLACES.load(place).steps.account
    with tempfile.TemporaryDirectory() as folder:
        file = cluster.write(run, place, Path(folder), (what,))[what]
        try:
            client = kfp.Client(host=host, namespace=namespace or "kubeflow", existing_token=token or None)
            started = client.create_run_from_pipeline_package(
                str(file),
                arguments,
                run_name=f"{what}-{arguments['task']}",
                experiment_name="proseform",
                namespace=namespace or None,
                enable_caching=False,
                service_account=account or None,
            )
        except (HTTPError, TimeoutError) as error:
            raise ClusterError(f"{host}: the KFP server does not answer ({type(error).__name__}).") from error
        except kfp_server_api.ApiException as error:
            raise ClusterError(
                f"{host}: the KFP server refuses: {error.reason}. {error.body}", status=error.status or 0
            ) from error
    return str(started.run_id)
